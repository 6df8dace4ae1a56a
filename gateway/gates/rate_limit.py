"""Third gate: how often. flask-limiter with a moving window in Redis; fails open (see `limit_storage`)."""

import time
from collections.abc import Callable
from math import ceil

from flask import Flask, Response, g, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded, RequestLimit
from limits import RateLimitItemPerSecond

from gateway.domain import ApiKey
from gateway.errors import RateLimited
from gateway.limit_storage import SCHEME_PREFIX, LimitStorage
from gateway.problems import respond

WINDOW_S = 60
REQUESTS = "requests"
SEND = "send"


class RateLimitGate:
    """Two limits per key: on everything, and on sending. `send_endpoints` are the views that count as sending."""

    def __init__(
        self,
        redis_url: str,
        *,
        requests_per_min: int,
        sends_per_min: int,
        send_endpoints: frozenset[str],
        on_failure: Callable[[], None],
    ) -> None:
        self._requests_per_min = requests_per_min
        self._sends_per_min = sends_per_min
        self._send_endpoints = send_endpoints
        self._limiter = Limiter(
            _key_id,
            storage_uri=SCHEME_PREFIX + redis_url,
            storage_options={"on_failure": on_failure},  # type: ignore[dict-item]
            strategy="moving-window",
            # Paths that lead nowhere count as well: the endpoint's name is not part of what is counted.
            request_identifier=lambda: request.endpoint or "unrouted",
            application_limits=[
                ApplicationLimit(self._requests, scope=REQUESTS),
                ApplicationLimit(self._sends, scope=SEND),
            ],
        )

    @property
    def storage(self) -> LimitStorage:
        storage = self._limiter.storage
        assert isinstance(storage, LimitStorage)  # noqa: S101 chosen by the scheme above
        return storage

    def install(self, app: Flask) -> None:
        self._limiter.init_app(app)
        app.after_request(self._describe)
        app.register_error_handler(RateLimitExceeded, self._refuse)

    def charge_sends(self, count: int) -> None:
        """Count `count` messages more as sent with this key, all or none. Raises RateLimited, which says what fits."""
        limit = g.api_key.send_rate_limit or self._sends_per_min
        key = RateLimitItemPerSecond(limit, WINDOW_S).key_for(_key_id(), SEND)
        if self.storage.acquire_entry(key, limit, WINDOW_S, count):
            return
        wait_s = self.storage.wait_s(key, limit, WINDOW_S, min(count, limit))
        fits = max(0, limit - self.storage.get_moving_window(key, limit, WINDOW_S)[1])
        detail = (
            f"{count} messages are {count} sends, and {fits} of {limit} a minute are left: send fewer, or wait."
            " Imports that are not announced do not count."
        )
        fields = {"limit": limit, "remaining": fits, "requested": count}
        raise RateLimited(detail, headers={"Retry-After": str(wait_s)}, fields=fields)

    def _requests(self) -> str:
        """Every request with a key; flask-limiter takes the empty text as no limit."""
        key = _key()
        return f"{key.rate_limit or self._requests_per_min} per {WINDOW_S} second" if key else ""

    def _sends(self) -> str:
        key = _key() if request.endpoint in self._send_endpoints else None
        return f"{key.send_rate_limit or self._sends_per_min} per {WINDOW_S} second" if key else ""

    def _refuse(self, _error: RateLimitExceeded) -> Response:
        wait_s = max((_wait_s(limit) for limit in self._limiter.current_limits if limit.breached), default=1)
        problem = RateLimited(f"Wait {wait_s} s before the next request.", headers={"Retry-After": str(wait_s)})
        g.problem_code = problem.code
        return respond(problem.status, problem.code, problem.title, problem.detail, headers=problem.headers)

    def _describe(self, response: Response) -> Response:
        """draft-ietf-httpapi-ratelimit-headers-11, and the older X-RateLimit-* for the limit nearest to its end."""
        known = [limit for limit in self._limiter.current_limits if self.storage.knows(limit.key)]
        if not known:
            return response
        response.headers["RateLimit-Policy"] = ", ".join(
            f'"{_name(limit)}";q={limit.limit.amount};w={WINDOW_S}' for limit in known
        )
        response.headers["RateLimit"] = ", ".join(
            f'"{_name(limit)}";r={limit.remaining};t={_wait_s(limit)}' for limit in known
        )
        nearest = min(known, key=lambda limit: limit.remaining)
        response.headers["X-RateLimit-Limit"] = str(nearest.limit.amount)
        response.headers["X-RateLimit-Remaining"] = str(nearest.remaining)
        response.headers["X-RateLimit-Reset"] = str(ceil(time.time()) + _wait_s(nearest))
        return response


def _key() -> ApiKey | None:
    key: ApiKey | None = g.get("api_key")
    return key


def _key_id() -> str:
    """The *verified* key: nothing a client writes chooses its bucket."""
    return str(g.api_key.id)


def _name(limit: RequestLimit) -> str:
    return limit.request_args[1]


def _wait_s(limit: RequestLimit) -> int:
    """Whole seconds until the oldest request leaves the window, which is when one more fits."""
    return max(1, ceil(limit.window.reset_time - time.time()))
