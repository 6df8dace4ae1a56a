"""A storage for flask-limiter: one Redis round trip per limit, Redis's own clock, and open when Redis is gone.

The stock RedisStorage needs a second round trip for what the headers say, trusts each worker's clock, and answers 500
after seconds when Redis is away. Registered by importing it (schemes `crossfade+redis`, `+rediss`, `+unix`).
"""

import time
from collections.abc import Callable, Mapping
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

# KEYS: lists of windows, newest first. ARGV: window in seconds, amount, each key's limit. All are hit, or none.
# Returns the place of the first that is full (0: they were hit), then of each how many are in the window, and for how
# many microseconds the oldest was.
ACQUIRE = """
local window_us, amount = tonumber(ARGV[1]) * 1000000, tonumber(ARGV[2])
local clock = redis.call('time')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local full = 0
for place = #KEYS, 1, -1 do
    local limit = tonumber(ARGV[place + 2])
    local entry = amount <= limit and redis.call('lindex', KEYS[place], limit - amount)
    if amount > limit or entry and tonumber(entry) > now - window_us then full = place end
end
local answer = {full}
for place, key in ipairs(KEYS) do
    if full == 0 then
        for _ = 1, amount do redis.call('lpush', key, string.format('%.0f', now)) end
        redis.call('ltrim', key, 0, tonumber(ARGV[place + 2]) - 1)
        redis.call('pexpire', key, window_us / 1000)
    end
    local low, high, count, oldest = 0, redis.call('llen', key) - 1, 0, now
    while low <= high do
        local middle = math.floor((low + high) / 2)
        local entry = tonumber(redis.call('lindex', key, middle))
        if entry > now - window_us then
            count, oldest, low = middle + 1, entry, middle + 1
        else
            high = middle - 1
        end
    end
    table.insert(answer, count)
    table.insert(answer, now - oldest)
end
return answer
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
        return self.find_full({key: limit}, expiry, amount) is None

    def find_full(self, limits: Mapping[str, int], expiry: int, amount: int) -> str | None:
        """Hit every key's window `amount` times, or none of them: then return the first key that has no room for it."""
        if self._is_open():
            self._on_failure()
            return None
        try:
            names = [self.prefixed_key(_bucket(key)) for key in limits]
            full, *found = self._acquire(names, [expiry, amount, *limits.values()])
        except redis.RedisError as error:
            self._break(error)
            self._on_failure()
            return None
        for place, key in enumerate(limits):
            count, age_us = found[2 * place : 2 * place + 2]
            _windows()[key] = (time.time() - age_us / 1_000_000, count)
        return list(limits)[full - 1] if full else None

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
