"""Web pages that may read answers: those of the operator's list. Preflights need no key."""

from collections.abc import Collection

from flask import Flask, Response, request

ALLOWED_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
ALLOWED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, traceparent, X-API-Key, X-Request-Id"
)
EXPOSED_HEADERS = (
    "Deprecation, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, Sunset,"
    " X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id"
)
MAX_AGE_S = 600  # browsers cap it, Chromium at two hours; a changed list is felt within ten minutes


class CorsGate:
    """Answers differ by origin as soon as there is a list, and say so in `Vary`."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    def install(self, app: Flask) -> None:
        if self._origins:
            app.before_request(self._preflight)
            app.after_request(self._describe)

    def _preflight(self) -> Response | None:
        """Fetch standard §3.2.2: an OPTIONS with these two headers is the browser's own question."""
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        headers = {"Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
        if request.headers.get("Origin") in self._origins:
            headers |= {
                "Access-Control-Allow-Methods": ALLOWED_METHODS,
                "Access-Control-Allow-Headers": ALLOWED_HEADERS,
                "Access-Control-Max-Age": str(MAX_AGE_S),
            }
        return Response(status=204, headers=headers)

    def _describe(self, response: Response) -> Response:
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin in self._origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        return response
