"""Routes of /auth/v1 for Auth clients: sessions, users, keys, settings, health."""

import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ops.local_supabase.auth.callers import caller, check_admin, check_key
from ops.local_supabase.auth.errors import AuthError, invalid
from ops.local_supabase.auth.service import AuthService
from ops.local_supabase.database.connections import DatabaseUnavailableError
from ops.local_supabase.http import body as http_body
from ops.local_supabase.http.body import BodyError
from ops.local_supabase.http.broadcast import CONTEXT
from ops.local_supabase.wire import json_text

API_VERSION = "2024-01-01"  # clients that name it get errors as {code, message}
PREFIX = "/auth/v1"
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+$")
_SCOPES = ("global", "local", "others")

SERVICE = web.AppKey("auth", AuthService)
Body = TypeVar("Body", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Credentials(BaseModel):
    """Body of signup and of the password grant; clients send more than we read (captcha, code challenge)."""

    model_config = ConfigDict(extra="ignore")
    email: str | None = None
    phone: str | None = None
    password: str | None = None
    data: dict[str, Any] | None = None


class NewUser(BaseModel):
    """What an administrator says of a user; every user is confirmed here, whether `email_confirm` says so or not."""

    model_config = ConfigDict(extra="ignore")
    email: str | None = None
    password: str | None = None
    user_metadata: dict[str, Any] | None = None
    app_metadata: dict[str, Any] | None = None


class Refresh(BaseModel):
    """Body of the refresh grant."""

    refresh_token: str = Field(min_length=1)


def routes() -> list[web.RouteDef]:
    return [
        web.post(f"{PREFIX}/signup", _guarded(_sign_up)),
        web.post(f"{PREFIX}/token", _guarded(_token)),
        web.get(f"{PREFIX}/user", _guarded(_get_user)),
        web.put(f"{PREFIX}/user", _guarded(_update_user)),
        web.post(f"{PREFIX}/logout", _guarded(_sign_out)),
        web.post(f"{PREFIX}/admin/users", _guarded(_create_user)),
        web.get(f"{PREFIX}/admin/users/{{user_id}}", _guarded(_show_user)),
        web.get(f"{PREFIX}/settings", _guarded(_settings)),
        web.get(f"{PREFIX}/.well-known/jwks.json", _jwks),
        web.get(f"{PREFIX}/health", _health),
    ]


def _guarded(handler: Handler) -> Handler:
    """Ask for a project key, as the gateway does, and turn errors into the API's answers."""

    async def guarded(request: web.Request) -> web.Response:
        try:
            check_key(request)
            return await handler(request)
        except AuthError as error:
            return _refused(request, error)
        except BodyError as error:
            return _refused(request, AuthError(error.status, "bad_json", error.text))
        except DatabaseUnavailableError:
            return _refused(request, AuthError(503, "request_timeout", "The database cannot be reached"))

    return guarded


async def _sign_up(request: web.Request) -> web.Response:
    body = await _read(request, Credentials)
    if body.phone is not None:
        raise AuthError(422, "phone_provider_disabled", "Phone signups are disabled")
    email = None if body.email is None and body.password is None else _email(body)
    return _answer(
        await request.app[SERVICE].sign_up(email, body.password, body.data or {}, _issuer(request)), request=request
    )


async def _token(request: web.Request) -> web.Response:
    service, grant = request.app[SERVICE], request.query.get("grant_type")
    if grant == "password":
        body = await _read(request, Credentials)
        session = await service.sign_in(_email(body), body.password or "", _issuer(request))
    elif grant == "refresh_token":
        session = await service.refresh((await _read(request, Refresh)).refresh_token, _issuer(request))
    else:
        raise AuthError(400, "invalid_credentials", "unsupported_grant_type")
    return _answer(session, request=request)


async def _create_user(request: web.Request) -> web.Response:
    check_admin(request)
    body = await _read(request, NewUser)
    user = await request.app[SERVICE].create_user(
        _email(body), body.password, body.user_metadata or {}, body.app_metadata or {}
    )
    return _answer(user, request=request)


async def _show_user(request: web.Request) -> web.Response:
    check_admin(request)
    try:
        user_id = uuid.UUID(request.match_info["user_id"])
    except ValueError:
        raise AuthError(404, "validation_failed", "user_id must be an UUID") from None
    return _answer(await request.app[SERVICE].show_user(user_id), request=request)


async def _get_user(request: web.Request) -> web.Response:
    return _answer(await request.app[SERVICE].get_user(caller(request)), request=request)


async def _update_user(request: web.Request) -> web.Response:
    body = await _read(request, Credentials)
    user = await request.app[SERVICE].update_user(
        caller(request),
        email=None if body.email is None else _email(body),
        password=body.password,
        metadata=body.data or {},
    )
    return _answer(user, request=request)


async def _sign_out(request: web.Request) -> web.Response:
    scope = request.query.get("scope", "global")
    if scope not in _SCOPES:
        raise invalid(f'Unsupported logout scope "{scope}"')
    await request.app[SERVICE].sign_out(caller(request), scope)
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
    return _answer(settings, request=request)


async def _jwks(request: web.Request) -> web.Response:
    """The public keys: none while tokens are signed with the shared secret."""
    return _answer({"keys": request.app[CONTEXT].verifier.public_keys()}, request=request)


async def _health(request: web.Request) -> web.Response:
    return _answer({"name": "GoTrue", "version": "local", "description": "Auth of the local stack"}, request=request)


async def _read(request: web.Request, shape: type[Body]) -> Body:
    """Parse the body; raises AuthError."""
    data = await http_body.read_bytes(request)
    try:
        return shape.model_validate(json_text.decode(data or b"{}"))
    except ValidationError as error:
        raise invalid(f"{error.errors()[0]['loc']}: {error.errors()[0]['msg']}") from None
    except ValueError:
        raise AuthError(400, "bad_json", "Could not parse request body as JSON") from None


def _email(body: Credentials | NewUser) -> str:
    email = (body.email or "").strip().lower()
    if not _EMAIL.match(email):
        raise invalid("Unable to validate email address: invalid format")
    return email


def _issuer(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}{PREFIX}"


def _answer(body: Any, *, request: web.Request) -> web.Response:
    return web.Response(body=json_text.encode(body), content_type="application/json", headers=_version(request))


def _refused(request: web.Request, error: AuthError) -> web.Response:
    if _version(request):
        body: dict[str, Any] = {"code": error.code, "message": error.message}
    else:
        body = {"code": error.status, "error_code": error.code, "msg": error.message}
    if error.weak:
        body["weak_password"] = {"reasons": list(error.weak)}
    return web.Response(
        status=error.status,
        body=json_text.encode(body),
        content_type="application/json",
        headers={**_version(request), "x-sb-error-code": error.code},
    )


def _version(request: web.Request) -> dict[str, str]:
    asked = request.headers.get("X-Supabase-Api-Version") == API_VERSION
    return {"X-Supabase-Api-Version": API_VERSION} if asked else {}
