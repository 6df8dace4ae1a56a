"""Limit of what a user of the old clients may write. MESSAGES within the window, over all sockets.

Asked by the handlers.

Bridges that share a Redis count together, so that a second tab at another bridge gains nothing. While Redis is away
each counts for itself: a limit protects us, and must not keep anybody from writing.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable
from uuid import UUID

import structlog
from cachetools import LRUCache

from realtime_bridge import metrics
from realtime_bridge.legacy.redis_client import BROKEN, connect

log = structlog.get_logger(__name__)

MESSAGES, WINDOW_S = 10, 1.0
TIMEOUT_S = 0.25  # the sender waits; on the same network an answer takes less than a millisecond
REST_S = 2.0  # after a failure Redis is not asked for so long, or every message would wait for it
REMEMBERED = 10_000  # users; the longest idle is forgotten

TAKE = """
local now = redis.call('TIME')
local at = now[1] * 1000000 + now[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at - ARGV[2])
local taken = redis.call('ZCARD', KEYS[1])
if taken >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], at, at .. '-' .. taken)
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] / 1000))
return 1
"""
"""Atomic, by Redis' own clock: bridges need not agree on the time."""


class MessageLimit:
    """Exact over all bridges that share a Redis; without one, and while it is away, over this one."""

    def __init__(self, redis_url: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = connect(redis_url, TIMEOUT_S) if redis_url else None
        self._script = self._redis.register_script(TAKE) if self._redis else None
        self._taken: LRUCache[UUID, deque[float]] = LRUCache(REMEMBERED)
        self._clock = clock
        self._ask_from = float("-inf")

    async def take(self, user_id: UUID) -> bool:
        """Count a write of the user; False when there were MESSAGES within the window. Raises nothing."""
        if self._script and self._clock() >= self._ask_from:
            try:
                args = [MESSAGES, int(WINDOW_S * 1_000_000)]
                return bool(await self._script(keys=[f"crossfade.legacy.messages:{user_id}"], args=args))
            except BROKEN as error:
                self._ask_from = self._clock() + REST_S
                metrics.LIMITS_APART.inc()
                log.warning("legacy limit is counted by each bridge", error=type(error).__name__)
        taken = self._taken.setdefault(user_id, deque(maxlen=MESSAGES))
        if len(taken) == MESSAGES and self._clock() - taken[0] < WINDOW_S:
            return False
        taken.append(self._clock())
        return True

    async def close(self) -> None:
        if self._redis:
            with contextlib.suppress(*BROKEN):
                await self._redis.aclose()
