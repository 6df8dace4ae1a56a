"""The gate of how often. flask-limiter with a moving window in Redis; fails open (see `limit_storage`).

A key has its limits, and above all keys of an account are the account's: another key is not another hundred requests.
What a key's own limit refuses takes nothing from the account's other keys.
"""

import time
from collections.abc import Callable
from math import ceil

from flask import Flask, Response, g, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded

from gateway.domain.keys import ApiKey
from gateway.errors import RateLimited, TooManyFailedKeys
from gateway.fairness.limit_storage import SCHEME_PREFIX, Bucket, LimitStorage, windows
from gateway.http.problems import respond
from gateway.http.routes import Limit, current
from gateway.settings import Settings

WINDOW_S = 60
HOUR_S = 3_600
REQUESTS = "requests"
ACCOUNT = "account"
ACCOUNT_SEND = "account-send"


class RateLimitGate:
    """With the deployment's limits: of a key without its own, and of an account whose keys have no more."""

    def __init__(self, settings: Settings, *, on_failure: Callable[[], None]) -> None:
        self._limits = settings
        self._limiter = Limiter(
            self._buckets,
            storage_uri=SCHEME_PREFIX + settings.redis_url,
            storage_options={"on_failure": on_failure},  # type: ignore[dict-item]
            strategy="moving-window",
            # Paths that lead nowhere count as well: the endpoint's name is not part of what is counted.
            request_identifier=lambda: request.endpoint or "unrouted",
            # One for all limits, so that the storage is asked once. How much each takes, its bucket says.
            application_limits=[ApplicationLimit("1 per minute", exempt_when=lambda: "api_key" not in g)],
        )

    @property
    def storage(self) -> LimitStorage:
        storage = self._limiter.storage
        assert isinstance(storage, LimitStorage)  # noqa: S101 chosen by the scheme above
        return storage

    def install(self, app: Flask) -> None:
        self._limiter.init_app(app)
        app.after_request(_describe)
        app.register_error_handler(RateLimitExceeded, _refuse)

    def charge_sends(self, count: int) -> None:
        """Count `count` messages more as sent with this key and account. Raises RateLimited, which says what fits."""
        full = [one for one in self.storage.take(self._sends(g.api_key), count, together=True) if one.is_full]
        if not full:
            return
        nearest = min(full, key=lambda window: window.remaining)
        limit, fits, wait_s = nearest.bucket.limit, nearest.remaining, max(window.wait_s for window in full)
        detail = (
            f"{count} messages are {count} sends, and {fits} of {limit} a minute are left: send fewer, or wait."
            " Imports that are not announced do not count."
        )
        fields = {"limit": limit, "remaining": fits, "requested": count}
        raise RateLimited(detail, headers={"Retry-After": str(wait_s)}, fields=fields)

    def count_failed_key(self) -> None:
        """Note that this address sent a wrong key; raise TooManyFailedKeys when it was one too many.

        A valid key is never held up by it: the address may be that of a load balancer.
        """
        address = request.remote_addr or "unknown"
        bucket = Bucket("failed-keys", address, self._limits.failed_auth_per_min, WINDOW_S)
        for window in self.storage.take([bucket]):
            if window.is_full:
                detail = f"Wait {window.wait_s} s, or send a valid API key."
                raise TooManyFailedKeys(detail, headers={"Retry-After": str(window.wait_s)})

    def _buckets(self) -> str:
        """Note what this request counts in, in the order in which it is asked; return a key for flask-limiter."""
        key: ApiKey = g.api_key
        route, limits, account = current(), self._limits, str(g.api_key.account_id)
        counts_as = route.limit if route is not None else None
        sends = self._sends(key) if counts_as is Limit.SEND else []
        of_account = max(limits.account_rate_limit_per_min, key.account_rate_limit or 0)
        buckets = [
            Bucket(REQUESTS, str(key.id), key.rate_limit or limits.rate_limit_per_min, WINDOW_S),
            *sends[:1],
            Bucket(ACCOUNT, account, of_account, WINDOW_S),
            *sends[1:],
        ]
        if counts_as is Limit.NEW_KEYS:
            buckets.append(Bucket(Limit.NEW_KEYS, account, limits.new_keys_per_hour, HOUR_S))
        g.limit_buckets = buckets
        return REQUESTS

    def _sends(self, key: ApiKey) -> list[Bucket]:
        """Return the key's, and the account's: at least what its strongest key may, which somebody above gave it."""
        of_account = max(self._limits.account_send_limit_per_min, key.account_send_rate_limit or 0)
        return [
            Bucket(Limit.SEND, str(key.id), key.send_rate_limit or self._limits.send_limit_per_min, WINDOW_S),
            Bucket(ACCOUNT_SEND, str(key.account_id), of_account, WINDOW_S),
        ]


def _refuse(_error: RateLimitExceeded) -> Response:
    wait_s = max(window.wait_s for window in windows() if window.is_full)
    return respond(RateLimited(f"Wait {wait_s} s before the next request.", headers={"Retry-After": str(wait_s)}))


def _describe(response: Response) -> Response:
    """draft-ietf-httpapi-ratelimit-headers-11, and the older X-RateLimit-* for the limit nearest to its end."""
    if not (known := windows()):
        return response
    nearest = min(known, key=lambda window: window.remaining)
    response.headers["RateLimit-Policy"] = ", ".join(
        f'"{window.bucket.name}";q={window.bucket.limit};w={window.bucket.window_s}' for window in known
    )
    response.headers["RateLimit"] = ", ".join(
        f'"{window.bucket.name}";r={window.remaining};t={window.reset_s}' for window in known
    )
    response.headers["X-RateLimit-Limit"] = str(nearest.bucket.limit)
    response.headers["X-RateLimit-Remaining"] = str(nearest.remaining)
    response.headers["X-RateLimit-Reset"] = str(ceil(time.time()) + nearest.reset_s)
    return response
