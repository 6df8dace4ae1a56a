"""The gate of how often. flask-limiter with a moving window in Redis; fails open (see `limit_storage`).

A key has its limits, and above all keys of an account are the account's: another key is not another hundred requests.
What a key's own limit refuses takes nothing from the account's other keys.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from flask import Flask, Response, g, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded, RequestLimit
from limits import RateLimitItemPerSecond

from gateway.domain.keys import ApiKey
from gateway.errors import RateLimited
from gateway.fairness.limit_storage import SCHEME_PREFIX, LimitStorage
from gateway.http.problems import respond
from gateway.http.routes import Limit, current

WINDOW_S = 60
HOUR_S = 3_600
REQUESTS = "requests"
ACCOUNT = "account"
ACCOUNT_SEND = "account-send"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The deployment's: of a key without its own, of an account whose keys have no more, and of keys made."""

    requests_per_min: int
    sends_per_min: int
    account_requests_per_min: int
    account_sends_per_min: int
    new_keys_per_hour: int


class RateLimitGate:
    def __init__(
        self,
        redis_url: str,
        *,
        limits: Limits,
        on_failure: Callable[[], None],
    ) -> None:
        self._limits = limits
        self._limiter = Limiter(
            _key_id,
            storage_uri=SCHEME_PREFIX + redis_url,
            storage_options={"on_failure": on_failure},  # type: ignore[dict-item]
            strategy="moving-window",
            # Paths that lead nowhere count as well: the endpoint's name is not part of what is counted.
            request_identifier=lambda: request.endpoint or "unrouted",
            application_limits=[
                ApplicationLimit(self._requests, scope=REQUESTS),
                ApplicationLimit(self._sends, scope=Limit.SEND),
                ApplicationLimit(self._account_requests, key_function=_account_id, scope=ACCOUNT),
                ApplicationLimit(self._account_sends, key_function=_account_id, scope=ACCOUNT_SEND),
                ApplicationLimit(self._new_keys, key_function=_account_id, scope=Limit.NEW_KEYS),
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
        """Count `count` messages more as sent with this key and account. Raises RateLimited, which says what fits."""
        key = g.api_key
        of_key = key.send_rate_limit or self._limits.sends_per_min
        of_account = max(self._limits.account_sends_per_min, key.account_send_rate_limit or 0)
        limits = {
            RateLimitItemPerSecond(of_key, WINDOW_S).key_for(_key_id(), Limit.SEND): of_key,
            RateLimitItemPerSecond(of_account, WINDOW_S).key_for(_account_id(), ACCOUNT_SEND): of_account,
        }
        if (full := self.storage.find_full(limits, WINDOW_S, count)) is not None:
            raise self._too_many(full, limits[full], count)

    def _too_many(self, bucket: str, limit: int, count: int) -> RateLimited:
        fits = max(0, limit - self.storage.get_moving_window(bucket, limit, WINDOW_S)[1])
        detail = (
            f"{count} messages are {count} sends, and {fits} of {limit} a minute are left: send fewer, or wait."
            " Imports that are not announced do not count."
        )
        wait_s = self.storage.wait_s(bucket, limit, WINDOW_S, min(count, limit))
        fields = {"limit": limit, "remaining": fits, "requested": count}
        return RateLimited(detail, headers={"Retry-After": str(wait_s)}, fields=fields)

    def _requests(self) -> str:
        """Every request with a key."""
        key = _key()
        return _a_minute(key.rate_limit or self._limits.requests_per_min) if key else NO_LIMIT

    def _sends(self) -> str:
        key = _key_for(Limit.SEND)
        return _a_minute(key.send_rate_limit or self._limits.sends_per_min) if key else NO_LIMIT

    def _account_requests(self) -> str:
        """At least what the account's strongest key may, which somebody above the accounts gave it."""
        key = _key()
        return _a_minute(max(self._limits.account_requests_per_min, key.account_rate_limit or 0)) if key else NO_LIMIT

    def _account_sends(self) -> str:
        key = _key_for(Limit.SEND)
        most = max(self._limits.account_sends_per_min, key.account_send_rate_limit or 0) if key else 0
        return _a_minute(most) if key else NO_LIMIT

    def _new_keys(self) -> str:
        makes_one = _key_for(Limit.NEW_KEYS) is not None
        return f"{self._limits.new_keys_per_hour} per {HOUR_S} second" if makes_one else NO_LIMIT

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
            f'"{_name(limit)}";q={limit.limit.amount};w={limit.limit.get_expiry()}' for limit in known
        )
        response.headers["RateLimit"] = ", ".join(
            f'"{_name(limit)}";r={limit.remaining};t={_wait_s(limit)}' for limit in known
        )
        nearest = min(known, key=lambda limit: limit.remaining)
        response.headers["X-RateLimit-Limit"] = str(nearest.limit.amount)
        response.headers["X-RateLimit-Remaining"] = str(nearest.remaining)
        response.headers["X-RateLimit-Reset"] = str(ceil(time.time()) + _wait_s(nearest))
        return response


NO_LIMIT = ""  # what flask-limiter passes over


def _a_minute(amount: int) -> str:
    return f"{amount} per {WINDOW_S} second"


def _key() -> ApiKey | None:
    key: ApiKey | None = g.get("api_key")
    return key


def _key_for(limit: Limit) -> ApiKey | None:
    """Return the key of a request whose route counts so."""
    route = current()
    return _key() if route is not None and route.limit is limit else None


def _key_id() -> str:
    """The *verified* key: nothing a client writes chooses its bucket."""
    return str(g.api_key.id)


def _account_id() -> str:
    return str(g.api_key.account_id)


def _name(limit: RequestLimit) -> str:
    return limit.request_args[1]


def _wait_s(limit: RequestLimit) -> int:
    """Whole seconds until the oldest request leaves the window, which is when one more fits."""
    return max(1, ceil(limit.window.reset_time - time.time()))
