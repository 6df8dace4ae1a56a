"""Routes of /auth/v1 for Auth clients: sessions, users, keys, settings, health.

Every user is confirmed at once: a local stack sends no e-mail.
"""

import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from aiohttp import web
from pydantic import BaseModel, Field

from ops.local_supabase.access.tokens import TokenError
from ops.local_supabase.auth import passwords, refresh_tokens, users
from ops.local_supabase.auth.answers import PREFIX, answer, bearer, check_email, guarded, read, transaction
from ops.local_supabase.auth.errors import (
    BAD_JWT,
    BANNED,
    INVALID_CREDENTIALS,
    NO_SESSION,
    NO_USER,
    TOKEN_USED,
    AuthError,
    invalid,
)
from ops.local_supabase.auth.refresh_tokens import Grant
from ops.local_supabase.auth.users import Change, User
from ops.local_supabase.database.connections import Connection
from ops.local_supabase.http.broadcast import CONTEXT

ACCESS_TTL_S = 3600  # Supabase's default
NEVER = "0001-01-01T00:00:00Z"
_SCOPES = ("global", "local", "others")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a bearer token speaks for."""

    user_id: uuid.UUID
    session_id: uuid.UUID | None


class Credentials(BaseModel):
    """Body of signup and of the password grant; clients send more than we read (captcha, code challenge)."""

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
    """Create a user, anonymous without e-mail, and sign in."""
    body = await read(request, Credentials)
    if body.phone is not None:
        raise AuthError(422, "phone_provider_disabled", "Phone signups are disabled")
    email = None if body.email is None and body.password is None else check_email(body.email)
    hashed = await passwords.hash_password(None if email is None else body.password or "")
    async with transaction(request) as connection:
        user_id = await users.insert_user(connection, email, hashed, body.data or {})
        grant = await refresh_tokens.open_session(connection, user_id)
        return await _session(request, connection, grant, "anonymous" if email is None else "password")


async def _token(request: web.Request) -> web.Response:
    match request.query.get("grant_type"):
        case "password":
            return await _sign_in(request)
        case "refresh_token":
            return await _refresh(request)
    raise AuthError(400, "invalid_credentials", "unsupported_grant_type")


async def _sign_in(request: web.Request) -> web.Response:
    body = await read(request, Credentials)
    email = check_email(body.email)
    async with transaction(request) as connection:
        found = await users.find_credentials(connection, email)
    if not await passwords.matches(body.password or "", found[1] if found else None) or found is None:
        raise INVALID_CREDENTIALS
    async with transaction(request) as connection:
        await users.mark_signed_in(connection, found[0])
        grant = await refresh_tokens.open_session(connection, found[0])
        return await _session(request, connection, grant, "password")


async def _refresh(request: web.Request) -> web.Response:
    """Give a new access token for a refresh token; reuse ends the session for good."""
    token = (await read(request, Refresh)).refresh_token
    async with transaction(request) as connection:
        grant = await refresh_tokens.rotate(connection, token)
        if not grant.reused:
            return await _session(request, connection, grant, "token_refresh")
    raise TOKEN_USED


async def _get_user(request: web.Request) -> web.Response:
    caller = _caller(request)
    async with transaction(request) as connection:
        return answer(await _user_of(connection, caller), request=request)


async def _update_user(request: web.Request) -> web.Response:
    body = await read(request, Credentials)
    caller = _caller(request)
    email = None if body.email is None else check_email(body.email)
    hashed = await passwords.hash_password(body.password)
    async with transaction(request) as connection:
        await _user_of(connection, caller)
        change = Change(email=email, password=hashed, metadata=body.data or {})
        await users.update_user(connection, caller.user_id, change)
        return answer(await _user_of(connection, caller), request=request)


async def _sign_out(request: web.Request) -> web.Response:
    scope = request.query.get("scope", "global")
    if scope not in _SCOPES:
        raise invalid(f'Unsupported logout scope "{scope}"')
    caller = _caller(request)
    async with transaction(request) as connection:
        await refresh_tokens.close_sessions(connection, caller.user_id, caller.session_id, scope)
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


async def _user_of(connection: Connection, caller: Caller) -> User:
    """Return the caller's user; raises AuthError when it, or its session, is gone."""
    if caller.session_id is not None and not await refresh_tokens.is_open(connection, caller.session_id):
        raise NO_SESSION
    user = await users.find_user(connection, caller.user_id)
    if user is None:
        raise NO_USER
    return user


async def _session(request: web.Request, connection: Connection, grant: Grant, method: str) -> web.Response:
    """Answer with what a client keeps of its session."""
    user = await users.find_user(connection, grant.user_id)
    if user is None:
        raise NO_USER
    if datetime.fromisoformat(user.get("banned_until", NEVER)) > datetime.now(UTC):
        raise BANNED
    now = int(time.time())
    names = ("aud", "email", "phone", "app_metadata", "user_metadata", "role", "is_anonymous")
    claims = {name: user[name] for name in names} | {
        "iss": f"{request.scheme}://{request.host}{PREFIX}",
        "sub": user["id"],
        "exp": now + ACCESS_TTL_S,
        "iat": now,
        "aal": "aal1",
        "amr": [{"method": method, "timestamp": now}],
        "session_id": str(grant.session_id),
    }
    shown = {
        "access_token": jwt.encode(claims, request.app[CONTEXT].settings.jwt_secret, algorithm="HS256"),
        "token_type": "bearer",
        "expires_in": ACCESS_TTL_S,
        "expires_at": now + ACCESS_TTL_S,
        "refresh_token": grant.refresh_token,
        "user": user,
    }
    return answer(shown, request=request)
