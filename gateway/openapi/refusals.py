"""Refusals that a route may answer with. Read by the document."""

from collections.abc import Iterable

from gateway import errors
from gateway.errors import ProblemError
from gateway.http.routes import Route

ANY = (
    errors.ApiKeyConflict,
    errors.ApiKeyMissing,
    errors.ApiKeyInvalid,
    errors.ApiKeyExpired,
    errors.ApiKeyRevoked,
    errors.ScopeMissing,
    errors.ValidationFailed,
    errors.RateLimited,
    errors.ServiceUnavailable,
)
WITH_BODY = (errors.MalformedJson, errors.PayloadTooLarge, errors.UnsupportedMediaType)


def problems_of(route: Route) -> Iterable[type[ProblemError]]:
    found: list[type[ProblemError]] = [*ANY]
    if route.body is not None:
        found += WITH_BODY
    if route.arguments:
        found.append(errors.NotFound)
    if route.method == "POST":
        found += [errors.IdempotencyKeyInvalid, errors.IdempotencyInFlight, errors.IdempotencyKeyReused]
    if route.if_match:
        found.append(errors.PreconditionFailed)
    if route.must_match:
        found.append(errors.PreconditionRequired)
    return dict.fromkeys([*found, *route.problems])
