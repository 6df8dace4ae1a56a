"""/auth/v1/admin: users, for who has the project's secret key."""

import json
import uuid
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from ops.local_supabase.access.tokens import TokenError
from ops.local_supabase.auth.answers import PREFIX, SERVICE, answer, bearer, check_email, guarded, read
from ops.local_supabase.auth.errors import BAD_JWT, NOT_ADMIN, AuthError
from ops.local_supabase.http.broadcast import CONTEXT


class NewUser(BaseModel):
    """What an administrator says of a user; every user is confirmed here, whether `email_confirm` says so or not."""

    model_config = ConfigDict(extra="ignore")
    email: str | None = None
    password: str | None = None
    user_metadata: dict[str, Any] | None = None
    app_metadata: dict[str, Any] | None = None


def routes() -> list[web.RouteDef]:
    return [
        web.post(f"{PREFIX}/admin/users", guarded(_create_user)),
        web.get(f"{PREFIX}/admin/users/{{user_id}}", guarded(_show_user)),
    ]


async def _create_user(request: web.Request) -> web.Response:
    _check_admin(request)
    body = await read(request, NewUser)
    user = await request.app[SERVICE].create_user(
        check_email(body.email), body.password, body.user_metadata or {}, body.app_metadata or {}
    )
    return answer(user, request=request)


async def _show_user(request: web.Request) -> web.Response:
    _check_admin(request)
    try:
        user_id = uuid.UUID(request.match_info["user_id"])
    except ValueError:
        raise AuthError(404, "validation_failed", "user_id must be an UUID") from None
    return answer(await request.app[SERVICE].show_user(user_id), request=request)


def _check_admin(request: web.Request) -> None:
    """Only the service role may; an opaque `sb_secret_…` is exchanged for its token first, as hosted."""
    try:
        context = request.app[CONTEXT]
        claims = json.loads(context.verifier.verify(context.keys.exchange(bearer(request))).json)
    except (TokenError, ValueError):
        raise BAD_JWT from None
    if claims.get("role") not in ("service_role", "supabase_admin"):
        raise NOT_ADMIN
