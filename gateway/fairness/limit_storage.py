"""Storage for flask-limiter: one round trip for all limits of a request. Open when Redis is gone.

The stock RedisStorage takes a round trip for each limit and one more for what the headers say, trusts each worker's
clock, and answers 500 after seconds when Redis is away. Registered by importing it (schemes `crossfade+redis`,
`+rediss`, `+unix`).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import redis
import structlog
from flask import g
from limits.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.retry import Retry

SCHEME_PREFIX = "crossfade+"
TIMEOUT_S = 0.25  # Redis answers in under a millisecond; what is slower than this is down
BREAKER_S = 1.0  # after a failure one request per second and worker tries again, the others do not pay for it

# KEYS: a list for each window, newest first. ARGV: amount, whether it counts in all windows or in none, and a limit and
# a length in seconds for each. Windows are asked in their order, up to the first in which the amount does not fit; all
# of them for all or none. Returns of each that was asked: how many are in it now, the age of the oldest, and in how
# long the amount (at most the whole limit) would have fitted; in microseconds.
TAKE = """
local amount, together, clock = tonumber(ARGV[1]), ARGV[2] == '1', redis.call('time')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local fits, asked, answer = true, 0, {}
local function window(number) return tonumber(ARGV[2 * number + 1]), tonumber(ARGV[2 * number + 2]) * 1000000 end
while asked < #KEYS and (fits or together) do
    asked = asked + 1
    local limit, length = window(asked)
    local entry = redis.call('lindex', KEYS[asked], limit - math.min(amount, limit))
    local wait = entry and math.max(0, tonumber(entry) + length - now) or 0
    fits = fits and amount <= limit and wait == 0
    answer[asked] = {0, 0, wait}
end
for number = 1, asked do
    local limit, length = window(number)
    if fits or not together and number < asked then
        for _ = 1, amount do redis.call('lpush', KEYS[number], string.format('%.0f', now)) end
        redis.call('ltrim', KEYS[number], 0, limit - 1)
        redis.call('pexpire', KEYS[number], length / 1000)
    end
    local low, high, oldest = 0, redis.call('llen', KEYS[number]) - 1, now
    while low <= high do
        local middle = math.floor((low + high) / 2)
        local entry = tonumber(redis.call('lindex', KEYS[number], middle))
        if entry > now - length then
            oldest, low = entry, middle + 1
        else
            high = middle - 1
        end
    end
    answer[number][1], answer[number][2] = low, now - oldest
end
return answer
"""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is counted for whom, and how much of it a window takes."""

    name: str
    owner: str
    limit: int
    window_s: int

    @property
    def key(self) -> str:
        """Without the limit, so that another limit is not another, empty bucket.

        Exact also while limits differ: what is trimmed from the list lies outside of the window, or was not granted.
        """
        return f"LIMITS:LIMITER/{self.owner}/{self.name}/{self.window_s}/second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a bucket holds after the question. `reset_s`: until the oldest leaves; `wait_s`: until the amount fits."""

    bucket: Bucket
    remaining: int
    reset_s: int
    wait_s: int
    is_full: bool
    """The amount did not fit."""


class LimitStorage(RedisStorage):
    """Counts exactly across workers. Without Redis every hit is granted, `on_failure` counts it, and nothing is known.

    flask-limiter asks once a request: `g.limit_buckets` are all buckets of it.
    """

    STORAGE_SCHEME = [f"{SCHEME_PREFIX}{scheme}" for scheme in ("redis", "rediss", "unix")]  # noqa: RUF012 as in limits

    def __init__(self, uri: str, *, on_failure: Callable[[], None]) -> None:
        retry: Any = Retry(NoBackoff(), 0)
        super().__init__(
            uri.removeprefix(SCHEME_PREFIX), socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=retry
        )
        self._on_failure = on_failure
        self._open_until = 0.0
        self._take = self.storage.register_script(TAKE)

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:  # noqa: ARG002 limits' words
        """Count the request in each of its buckets; what is learned stays in `windows()`."""
        g.limit_windows = self.take(g.limit_buckets, amount)
        return not any(window.is_full for window in g.limit_windows)

    def take(self, buckets: Sequence[Bucket], amount: int = 1, *, together: bool = False) -> list[Window]:
        """Count `amount` in buckets up to the first that is too full for it; `together`: in all, or in none.

        Returns what was learned of each that was asked; nothing when Redis is gone.
        """
        if time.monotonic() < self._open_until:  # Redis failed a moment ago and is not asked
            self._on_failure()
            return []
        arguments = [amount, int(together), *(figure for one in buckets for figure in (one.limit, one.window_s))]
        try:
            found = self._take([bucket.key for bucket in buckets], arguments)
        except redis.RedisError as error:
            self._open_until = time.monotonic() + BREAKER_S
            _log.warning("rate_limit_not_applied", error=type(error).__name__)
            self._on_failure()
            return []
        return [
            Window(
                bucket=bucket,
                remaining=max(0, bucket.limit - count),
                reset_s=_seconds(bucket.window_s - age_us / 1_000_000),
                wait_s=_seconds(wait_us / 1_000_000),
                is_full=wait_us > 0 or amount > bucket.limit,
            )
            for bucket, (count, age_us, wait_us) in zip(buckets, found, strict=False)
        ]

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


def windows() -> list[Window]:
    """Return what this request learned of its limits."""
    found: list[Window] = g.get("limit_windows", [])
    return found


def _seconds(seconds: float) -> int:
    """Return whole ones, at least one."""
    return max(1, ceil(seconds))
