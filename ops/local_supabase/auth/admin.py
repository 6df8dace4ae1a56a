"""/auth/v1/admin: users, for who has the project's secret key."""

import json
import re
import uuid
from typing import Any
from urllib.parse import quote

from aiohttp import web
from pydantic import BaseModel

from ops.local_supabase.access.tokens import TokenError
from ops.local_supabase.auth import passwords, refresh_tokens, users
from ops.local_supabase.auth.answers import PREFIX, answer, bearer, check_email, guarded, read, transaction
from ops.local_supabase.auth.errors import (
    BAD_JWT,
    EMAIL_EXISTS,
    NO_SUCH_USER,
    NOT_ADMIN,
    NOT_UPDATED,
    AuthError,
    invalid,
)
from ops.local_supabase.auth.users import Change, User
from ops.local_supabase.database.connections import Connection
from ops.local_supabase.http.broadcast import CONTEXT

DEFAULT_PER_PAGE, MAX_PER_PAGE, MAX_PAGE = 50, 1_000, 2**31 - 1  # Auth's own
_SECONDS = {"ms": 1e-3, "s": 1, "m": 60, "h": 3_600}
_PART = re.compile(r"(\d+(?:\.\d*)?)(ms|s|m|h)")  # of a duration as Go writes it: 1h30m


class AdminUser(BaseModel):
    """What an administrator says of a user; every user is confirmed here, whether `email_confirm` says so or not."""

    email: str | None = None
    password: str | None = None
    role: str | None = None
    user_metadata: dict[str, Any] | None = None
    app_metadata: dict[str, Any] | None = None
    ban_duration: str | None = None


class Deletion(BaseModel):
    should_soft_delete: bool = False


def routes() -> list[web.RouteDef]:
    return [
        web.post(f"{PREFIX}/admin/users", guarded(_create_user)),
        web.get(f"{PREFIX}/admin/users", guarded(_list_users)),
        web.get(f"{PREFIX}/admin/users/{{user_id}}", guarded(_show_user)),
        web.put(f"{PREFIX}/admin/users/{{user_id}}", guarded(_update_user)),
        web.delete(f"{PREFIX}/admin/users/{{user_id}}", guarded(_delete_user)),
    ]


async def _create_user(request: web.Request) -> web.Response:
    _check_admin(request)
    body = await read(request, AdminUser)
    email, hashed = check_email(body.email), await passwords.hash_password(body.password)
    metadata, app_metadata = body.user_metadata or {}, body.app_metadata or {}
    async with transaction(request) as connection:
        try:
            user_id = await users.insert_user(connection, email, hashed, metadata, app_metadata)
        except AuthError:
            raise EMAIL_EXISTS from None
        return answer(await _get_user(connection, user_id), request=request)


async def _show_user(request: web.Request) -> web.Response:
    _check_admin(request)
    async with transaction(request) as connection:
        return answer(await _get_user(connection, _named(request)), request=request)


async def _list_users(request: web.Request) -> web.Response:
    _check_admin(request)
    page, per_page = _number(request, "page", 1, MAX_PAGE), _number(request, "per_page", DEFAULT_PER_PAGE, MAX_PER_PAGE)
    async with transaction(request) as connection:
        found, total = await users.list_users(connection, page, per_page, request.query.get("filter", ""))
    last = max(1, -(-total // per_page))
    links = {"next": page + 1, "last": last} if page < last else {"last": last}
    # Relative to Auth's own root, and `page` first: supabase-js takes the number from what follows the first `=`.
    rest = "".join(f"&{name}={quote(request.query[name])}" for name in ("per_page", "filter") if name in request.query)
    link = ", ".join(f'</admin/users?page={number}{rest}>; rel="{name}"' for name, number in links.items())
    shown = {"users": found, "aud": "authenticated"}
    return answer(shown, request=request, headers={"Link": link, "X-Total-Count": str(total)})


async def _update_user(request: web.Request) -> web.Response:
    """Change what is given; a new password ends all sessions."""
    _check_admin(request)
    body, user_id = await read(request, AdminUser), _named(request)
    change = Change(
        email=check_email(body.email) if body.email else None,
        password=await passwords.hash_password(body.password),
        role=body.role or None,
        metadata=body.user_metadata or {},
        app_metadata=body.app_metadata or {},
        ban_s=_seconds(body.ban_duration) if body.ban_duration else None,
    )
    async with transaction(request) as connection:
        await _get_user(connection, user_id)
        try:
            await users.update_user(connection, user_id, change)
        except AuthError:
            raise NOT_UPDATED from None
        if change.password:
            await refresh_tokens.close_sessions(connection, user_id, None, "global")
        return answer(await _get_user(connection, user_id), request=request)


async def _delete_user(request: web.Request) -> web.Response:
    """Remove a user and all of its own; softly, a row without anything personal stays."""
    _check_admin(request)
    body, user_id = await read(request, Deletion), _named(request)
    async with transaction(request) as connection:
        user = await _get_user(connection, user_id)
        if not body.should_soft_delete:
            await users.delete_user(connection, user_id)
        elif "deleted_at" not in user:
            await users.forget_user(connection, user_id)
            await refresh_tokens.close_sessions(connection, user_id, None, "global")
    return answer({}, request=request)


async def _get_user(connection: Connection, user_id: uuid.UUID) -> User:
    user = await users.find_user(connection, user_id)
    if user is None:
        raise NO_SUCH_USER
    return user


def _named(request: web.Request) -> uuid.UUID:
    try:
        return uuid.UUID(request.match_info["user_id"])
    except ValueError:
        raise AuthError(404, "validation_failed", "user_id must be an UUID") from None


def _number(request: web.Request, name: str, default: int, most: int) -> int:
    """Return a number of the query; what is empty was not said."""
    text = request.query.get(name) or str(default)
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(most)) else 0
    if not 1 <= number <= most:
        raise invalid(f"Bad Pagination Parameters: {name} must be a number from 1 to {most}")
    return number


def _seconds(duration: str) -> float:
    """Return for how long somebody is banned; 0 lets them in again."""
    if duration != "none" and _PART.sub("", duration):
        raise invalid(f'invalid format for ban duration: time: invalid duration "{duration}"')
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(duration))


def _check_admin(request: web.Request) -> None:
    """Only the service role may; an opaque `sb_secret_…` is exchanged for its token first, as hosted."""
    try:
        context = request.app[CONTEXT]
        claims = json.loads(context.verifier.verify(context.keys.exchange(bearer(request))).json)
    except (TokenError, ValueError):
        raise BAD_JWT from None
    if claims.get("role") not in ("service_role", "supabase_admin"):
        raise NOT_ADMIN
