"""Storage for flask-limiter: one Redis round trip per limit. The clock is Redis's own; open when Redis is gone.

The stock RedisStorage needs a second round trip for what the headers say, trusts each worker's clock, and answers 500
after seconds when Redis is away. Registered by importing it (schemes `crossfade+redis`, `+rediss`, `+unix`).
"""

import time
from collections.abc import Callable
from math import ceil
from typing import Any, cast

import redis
import structlog
from flask import g
from limits.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.retry import Retry

SCHEME_PREFIX = "crossfade+"
TIMEOUT_S = 0.25  # Redis answers in under a millisecond; what is slower than this is down
BREAKER_S = 1.0  # after a failure one request per second and worker tries again, the others do not pay for it

# KEYS[1] the window's list, newest first. ARGV: limit, window in seconds, amount.
# Returns whether it was granted, how many are in the window, and the age of the oldest in microseconds.
ACQUIRE = """
local limit, window_us, amount = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000000, tonumber(ARGV[3])
local clock = redis.call('time')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local granted = 0
if amount <= limit then
    local entry = redis.call('lindex', KEYS[1], limit - amount)
    if not entry or tonumber(entry) <= now - window_us then
        for _ = 1, amount do redis.call('lpush', KEYS[1], string.format('%.0f', now)) end
        redis.call('ltrim', KEYS[1], 0, limit - 1)
        redis.call('pexpire', KEYS[1], window_us / 1000)
        granted = 1
    end
end
local low, high, count, oldest = 0, redis.call('llen', KEYS[1]) - 1, 0, now
while low <= high do
    local middle = math.floor((low + high) / 2)
    local entry = tonumber(redis.call('lindex', KEYS[1], middle))
    if entry > now - window_us then
        count, oldest, low = middle + 1, entry, middle + 1
    else
        high = middle - 1
    end
end
return {granted, count, now - oldest}
"""

_log = structlog.get_logger(__name__)


class LimitStorage(RedisStorage):
    """Counts exactly across workers. Without Redis every hit is granted, `on_failure` is told, and no figures exist."""

    STORAGE_SCHEME = [f"{SCHEME_PREFIX}{scheme}" for scheme in ("redis", "rediss", "unix")]  # noqa: RUF012 as in limits

    def __init__(self, uri: str, *, on_failure: Callable[[], None]) -> None:
        retry: Any = Retry(NoBackoff(), 0)
        super().__init__(
            uri.removeprefix(SCHEME_PREFIX), socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=retry
        )
        self._on_failure = on_failure
        self._open_until = 0.0
        self._acquire = self.storage.register_script(ACQUIRE)

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        return self._hit(key, limit, expiry, amount)

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002 limits' words
        """Answer from what this request learned already; `(now, 0)` when it learned nothing."""
        return _windows().get(key, (time.time(), 0))

    def wait_s(self, key: str, limit: int, expiry: int, amount: int) -> int:
        """Return in how many whole seconds `amount` hits more fit, after they did not; `expiry` when Redis is gone."""
        if self._is_open():
            return expiry
        try:
            entry: Any = self.storage.lindex(self.prefixed_key(_bucket(key)), limit - amount)
            seconds, micros = cast("tuple[int, int]", self.storage.time())
        except redis.RedisError as error:
            self._break(error)
            return expiry
        began_s = float(entry or 0) / 1_000_000
        return max(1, ceil(began_s + expiry - seconds - micros / 1_000_000))

    def knows(self, key: str) -> bool:
        """Whether Redis counted this request; without that there is nothing true to tell the client."""
        return key in _windows()

    def count(self, key: str, expiry: int) -> int:
        """Return how many hits the window holds, without adding one; 0 when Redis is gone."""
        self._hit(key, 0, expiry, 1)
        return _windows().get(key, (0.0, 0))[1]

    @property
    def client(self) -> "redis.Redis":
        """The connection itself, for what else is counted in Redis; impatient, and raises RedisError."""
        client: redis.Redis = self.storage
        return client

    def check(self) -> bool:
        """Ask Redis now, breaker or not: for `/readyz`."""
        try:
            return bool(self.storage.ping())
        except redis.RedisError:
            return False

    def close(self) -> None:
        self.storage.close()

    def _hit(self, key: str, limit: int, expiry: int, amount: int) -> bool:
        if self._is_open():
            self._on_failure()
            return True
        try:
            granted, count, age_us = self._acquire([self.prefixed_key(_bucket(key))], [limit, expiry, amount])
        except redis.RedisError as error:
            self._break(error)
            self._on_failure()
            return True
        _windows()[key] = (time.time() - age_us / 1_000_000, count)
        return bool(granted)

    def _is_open(self) -> bool:
        """Whether the breaker is: Redis failed a moment ago and is not asked."""
        return time.monotonic() < self._open_until

    def _break(self, error: redis.RedisError) -> None:
        self._open_until = time.monotonic() + BREAKER_S
        _log.warning("rate_limit_not_applied", error=type(error).__name__)


def _bucket(key: str) -> str:
    """Return a limit's key without its amount, so that another amount is not another, empty bucket.

    Exact also while amounts differ: what a hit trims from the list lies outside of the window, or it was not granted.
    """
    *named, _amount, multiples, granularity = key.split("/")
    return "/".join([*named, multiples, granularity])


def _windows() -> dict[str, tuple[float, int]]:
    windows: dict[str, tuple[float, int]] = g.setdefault("limit_windows", {})
    return windows
