"""Callers of the Auth API: project, administrator, user."""

import json
import uuid

from aiohttp import web

from ops.local_supabase.access.tokens import TokenError
from ops.local_supabase.auth.errors import BAD_JWT, NO_AUTHORIZATION, NOT_ADMIN
from ops.local_supabase.auth.service import Caller
from ops.local_supabase.http.broadcast import CONTEXT


def check_key(request: web.Request) -> None:
    context = request.app[CONTEXT]
    key = request.headers.get("apikey") or request.query.get("apikey")
    if not key:
        raise _unauthorized("No API key found in request")
    try:
        context.verifier.verify(context.keys.exchange(key))
    except TokenError:
        raise _unauthorized("Invalid API key") from None


def _unauthorized(message: str) -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(text=json.dumps({"message": message}), content_type="application/json")


def check_admin(request: web.Request) -> None:
    """Only the service role may; an opaque `sb_secret_…` is exchanged for its token first, as hosted."""
    try:
        context = request.app[CONTEXT]
        claims = json.loads(context.verifier.verify(context.keys.exchange(_bearer(request))).json)
    except (TokenError, ValueError):
        raise BAD_JWT from None
    if claims.get("role") not in ("service_role", "supabase_admin"):
        raise NOT_ADMIN


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NO_AUTHORIZATION
    return token


def caller(request: web.Request) -> Caller:
    token = _bearer(request)
    try:
        claims = json.loads(request.app[CONTEXT].verifier.verify(token).json)
        user_id = uuid.UUID(claims["sub"])
        session = claims.get("session_id")
        return Caller(user_id, uuid.UUID(session) if session else None)
    except (TokenError, KeyError, ValueError, AttributeError, TypeError):
        raise BAD_JWT from None
