"""Routes of /auth/v1 for Auth clients: sessions, users, keys, settings, health."""

import json
import uuid
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from ops.local_supabase.access.tokens import TokenError
from ops.local_supabase.auth.answers import PREFIX, SERVICE, answer, bearer, check_email, guarded, read
from ops.local_supabase.auth.errors import BAD_JWT, AuthError, invalid
from ops.local_supabase.auth.service import Caller
from ops.local_supabase.auth.users import Change
from ops.local_supabase.http.broadcast import CONTEXT

_SCOPES = ("global", "local", "others")


class Credentials(BaseModel):
    """Body of signup and of the password grant; clients send more than we read (captcha, code challenge)."""

    model_config = ConfigDict(extra="ignore")
    email: str | None = None
    phone: str | None = None
    password: str | None = None
    data: dict[str, Any] | None = None


class Refresh(BaseModel):
    """Body of the refresh grant."""

    refresh_token: str = Field(min_length=1)


def routes() -> list[web.RouteDef]:
    return [
        web.post(f"{PREFIX}/signup", guarded(_sign_up)),
        web.post(f"{PREFIX}/token", guarded(_token)),
        web.get(f"{PREFIX}/user", guarded(_get_user)),
        web.put(f"{PREFIX}/user", guarded(_update_user)),
        web.post(f"{PREFIX}/logout", guarded(_sign_out)),
        web.get(f"{PREFIX}/settings", guarded(_settings)),
        web.get(f"{PREFIX}/.well-known/jwks.json", _jwks),
        web.get(f"{PREFIX}/health", _health),
    ]


async def _sign_up(request: web.Request) -> web.Response:
    body = await read(request, Credentials)
    if body.phone is not None:
        raise AuthError(422, "phone_provider_disabled", "Phone signups are disabled")
    email = None if body.email is None and body.password is None else check_email(body.email)
    return answer(
        await request.app[SERVICE].sign_up(email, body.password, body.data or {}, _issuer(request)), request=request
    )


async def _token(request: web.Request) -> web.Response:
    service, grant = request.app[SERVICE], request.query.get("grant_type")
    if grant == "password":
        body = await read(request, Credentials)
        session = await service.sign_in(check_email(body.email), body.password or "", _issuer(request))
    elif grant == "refresh_token":
        session = await service.refresh((await read(request, Refresh)).refresh_token, _issuer(request))
    else:
        raise AuthError(400, "invalid_credentials", "unsupported_grant_type")
    return answer(session, request=request)


async def _get_user(request: web.Request) -> web.Response:
    return answer(await request.app[SERVICE].get_user(_caller(request)), request=request)


async def _update_user(request: web.Request) -> web.Response:
    body = await read(request, Credentials)
    caller = _caller(request)
    email = None if body.email is None else check_email(body.email)
    change = Change(email=email, password=body.password, metadata=body.data or {})
    return answer(await request.app[SERVICE].update_user(caller, change), request=request)


async def _sign_out(request: web.Request) -> web.Response:
    scope = request.query.get("scope", "global")
    if scope not in _SCOPES:
        raise invalid(f'Unsupported logout scope "{scope}"')
    await request.app[SERVICE].sign_out(_caller(request), scope)
    return web.Response(status=204)


async def _settings(request: web.Request) -> web.Response:
    settings = {
        "external": {"email": True, "phone": False, "anonymous_users": True},
        "disable_signup": False,
        "mailer_autoconfirm": True,
        "phone_autoconfirm": False,
        "sms_provider": "",
        "saml_enabled": False,
    }
    return answer(settings, request=request)


async def _jwks(request: web.Request) -> web.Response:
    """The public keys: none while tokens are signed with the shared secret."""
    return answer({"keys": request.app[CONTEXT].verifier.public_keys()}, request=request)


async def _health(request: web.Request) -> web.Response:
    return answer({"name": "GoTrue", "version": "local", "description": "Auth of the local stack"}, request=request)


def _caller(request: web.Request) -> Caller:
    token = bearer(request)
    try:
        claims = json.loads(request.app[CONTEXT].verifier.verify(token).json)
        user_id = uuid.UUID(claims["sub"])
        session = claims.get("session_id")
        return Caller(user_id, uuid.UUID(session) if session else None)
    except (TokenError, KeyError, ValueError, AttributeError, TypeError):
        raise BAD_JWT from None


def _issuer(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}{PREFIX}"
