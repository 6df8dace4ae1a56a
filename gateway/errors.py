"""Errors of requests, each knowing its status and code. Raised anywhere; rendered in `problems.py` only.

Conflicts with what is stored have a module of their own: domain/conflicts.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One fault in the request: where (JSON Pointer into the body, or a query parameter), its code, what to do."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None


class ProblemError(Exception):
    """`detail` says what the client can do about it; `fields` are members of the problem beyond RFC 9457's."""

    status: int = 500
    code: str = "internal_error"
    title: str = "Internal error"

    def __init_subclass__(cls, *, status: int = 0, code: str = "", title: str = "") -> None:
        cls.status, cls.title = status or cls.status, title or cls.title
        if code:
            cls.code = code

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, str | int] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.fields = dict(fields or {})

    @classmethod
    def of(cls, status: int, code: str, title: str, detail: str, headers: Mapping[str, str] | None = None) -> Self:
        """Return a failure that has no class, because others see it first."""
        problem = cls(detail, headers=headers)
        problem.status, problem.code, problem.title = status, code, title
        return problem


class BadRequest(ProblemError, status=400, code="bad_request", title="The request cannot be read"): ...


class MalformedJson(BadRequest, code="malformed_json", title="The body is not JSON"): ...


class ApiKeyConflict(BadRequest, code="api_key_conflict", title="Two different API keys"): ...


class IdempotencyKeyInvalid(BadRequest, code="idempotency_key_invalid", title="The Idempotency-Key is not valid"): ...


class Unauthorized(ProblemError, status=401):
    """Carries `WWW-Authenticate`, as RFC 9110 §11.6.1 asks of every 401."""

    def __init__(self, detail: str) -> None:
        error = "" if self.code == "api_key_missing" else f', error="invalid_token", error_description="{self.title}"'
        super().__init__(detail, headers={"WWW-Authenticate": f'Bearer realm="crossfade"{error}'})


class ApiKeyMissing(Unauthorized, code="api_key_missing", title="No API key"): ...


class ApiKeyInvalid(Unauthorized, code="api_key_invalid", title="The API key is not valid"): ...


class ApiKeyExpired(Unauthorized, code="api_key_expired", title="The API key has expired"): ...


class ApiKeyRevoked(Unauthorized, code="api_key_revoked", title="The API key was revoked"): ...


class SignatureInvalid(Unauthorized, code="signature_invalid", title="The signature is missing or wrong"):
    """A webhook that nobody with the key has signed. There is no scheme of RFC 9110 for it, so its header names it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.headers = {"WWW-Authenticate": 'x-hmac-signature realm="crossfade"'}


class ScopeMissing(ProblemError, status=403, code="scope_missing", title="The API key may not do this"):
    def __init__(self, scope: str) -> None:
        challenge = f'Bearer realm="crossfade", error="insufficient_scope", scope="{scope}"'
        super().__init__(f"Use a key with the scope {scope}.", headers={"WWW-Authenticate": challenge})


class ProviderAccountMismatch(
    ProblemError, status=403, code="provider_account_mismatch", title="The event belongs to another provider account"
): ...


class ScopeNotHeld(ProblemError, status=403, code="scope_not_held", title="The API key may not hand this on"):
    """Nobody hands on what they do not have; otherwise `keys:manage` would be every scope."""


class NotFound(ProblemError, status=404, code="not_found", title="Not found"): ...


def there(found: T | None, no_such: str) -> T:
    """Return what was found. Raises NotFound with these words."""
    if found is None:
        raise NotFound(no_such)
    return found


class Conflict(ProblemError, status=409, code="conflict", title="The request conflicts with what is stored"): ...


class PreconditionFailed(ProblemError, status=412, code="precondition_failed", title="Somebody else changed it first"):
    """Carries the ETag to try again with, once the client has looked at what changed."""

    def __init__(self, etag: str) -> None:
        super().__init__("Get it again and repeat the change with its new ETag.", headers={"ETag": etag})


class IdempotencyInFlight(
    Conflict, code="idempotency_in_flight", title="The first request with this Idempotency-Key is not finished"
):
    def __init__(self) -> None:
        super().__init__("Wait, then send the same request again.", headers={"Retry-After": "1"})


class CursorExpired(
    ProblemError, status=410, code="cursor_expired", title="The events after this cursor are no longer kept"
):
    """Carries the oldest cursor that works, as a field of the problem: some events in between are gone."""

    def __init__(self, oldest_cursor: str) -> None:
        detail = "Fetch the state anew, then go on from oldestCursor, or from after=latest taken before fetching."
        super().__init__(detail, fields={"oldestCursor": oldest_cursor})


class RequestTimeout(ProblemError, status=408, code="request_timeout", title="The request took too long to arrive"):
    """RFC 9110 §15.5.9; the server closes the connection, because the body's rest may still come."""

    def __init__(self) -> None:
        super().__init__("Send it faster, or in smaller parts.")


class PayloadTooLarge(ProblemError, status=413, code="payload_too_large", title="The body is too large"): ...


class UnsupportedMediaType(
    ProblemError, status=415, code="unsupported_media_type", title="The body has the wrong type"
): ...


class Unprocessable(ProblemError, status=422, code="unprocessable", title="The request is not acceptable"): ...


class ValidationFailed(Unprocessable, code="validation_failed", title="The request has invalid fields"):
    def __init__(self, *errors: FieldError) -> None:
        places = ", ".join(dict.fromkeys(e.pointer or e.parameter or "the body" for e in errors))
        super().__init__(f"Correct {places}.", errors=errors)


class ClientMessageIdReused(
    Unprocessable, code="client_message_id_reused", title="The clientMessageId belongs to another message"
): ...


class AttachmentRejected(Unprocessable, code="attachment_rejected", title="The file is not what was announced"): ...


class PreconditionRequired(ProblemError, status=428, code="precondition_required", title="If-Match is missing"):
    """RFC 6585 §3: without it the second of two editors would undo the first without knowing."""

    def __init__(self) -> None:
        super().__init__("Send If-Match with the ETag of the version you have seen, or * for whichever it is.")


class IdempotencyKeyReused(
    Unprocessable, code="idempotency_key_reused", title="The Idempotency-Key belongs to another request"
): ...


class RateLimited(ProblemError, status=429, code="rate_limited", title="Too many requests"): ...


class TooManyFailedKeys(RateLimited, code="too_many_failed_keys", title="Too many invalid API keys"): ...


class NotConfigured(ProblemError, status=501, code="not_configured", title="Not available in this deployment"): ...


class ServiceUnavailable(ProblemError, status=503, code="service_unavailable", title="Temporarily unavailable"):
    def __init__(self, detail: str = "Try again; resend a message with its clientMessageId.") -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class RealtimeNotConfigured(
    ProblemError, status=503, code="realtime_not_configured", title="This deployment makes no realtime sessions"
): ...


class WebhooksNotConfigured(
    ProblemError, status=503, code="webhooks_not_configured", title="Webhooks are not set up"
): ...
