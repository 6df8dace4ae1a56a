"""Ways of all routes of /auth/v1. They ask for a project key, read a body, answer, and refuse in the client's form."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from ops.local_supabase.access.tokens import TokenError
from ops.local_supabase.auth.errors import NO_AUTHORIZATION, AuthError, invalid
from ops.local_supabase.database.connections import Connection, DatabaseUnavailableError
from ops.local_supabase.http import body as http_body
from ops.local_supabase.http.body import BodyError
from ops.local_supabase.http.broadcast import CONTEXT
from ops.local_supabase.wire import json_text

API_VERSION = "2024-01-01"  # clients that name it get errors as {code, message}
PREFIX = "/auth/v1"
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+$")

Body = TypeVar("Body", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.Response]]


def guarded(handler: Handler) -> Handler:
    """Ask for a project key, as the gateway does, and turn errors into the API's answers."""

    async def guarded(request: web.Request) -> web.Response:
        try:
            _check_key(request)
            return await handler(request)
        except AuthError as error:
            return _refused(request, error)
        except BodyError as error:
            return _refused(request, AuthError(error.status, "bad_json", error.text))
        except DatabaseUnavailableError:
            return _refused(request, AuthError(503, "request_timeout", "The database cannot be reached"))

    return guarded


def _check_key(request: web.Request) -> None:
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


async def read(request: web.Request, shape: type[Body]) -> Body:
    """Parse the body; raises AuthError."""
    data = await http_body.read_bytes(request)
    try:
        return shape.model_validate(json_text.decode(data or b"{}"))
    except ValidationError as error:
        raise invalid(f"{error.errors()[0]['loc']}: {error.errors()[0]['msg']}") from None
    except ValueError:
        raise AuthError(400, "bad_json", "Could not parse request body as JSON") from None


def transaction(request: web.Request) -> AbstractAsyncContextManager[Connection]:
    """Lend a connection to the project's database; what is done on it is committed unless it raises."""
    return request.app[CONTEXT].sessions.transaction()


def check_email(given: str | None) -> str:
    email = (given or "").strip().lower()
    if not _EMAIL.match(email):
        raise invalid("Unable to validate email address: invalid format")
    return email


def bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NO_AUTHORIZATION
    return token


def answer(body: Any, *, request: web.Request, headers: Mapping[str, str] | None = None) -> web.Response:
    shown = {**_version(request), **(headers or {})}
    return web.Response(body=json_text.encode(body), content_type="application/json", headers=shown)


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
