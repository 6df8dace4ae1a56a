"""Limit of what a user of the old clients may write. MESSAGES within the window, over all sockets.

Asked by the handlers.

Bridges that share a Redis count together, so that a second tab at another bridge gains nothing. While Redis is away
each counts for itself: a limit protects us, and must not keep anybody from writing.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

import structlog

from realtime_bridge import metrics
from realtime_bridge.legacy.redis_client import BROKEN, connect

log = structlog.get_logger(__name__)

MESSAGES, WINDOW_S = 10, 1.0
TIMEOUT_S = 0.25  # the sender waits; on the same network an answer takes less than a millisecond
REST_S = 2.0  # after a failure Redis is not asked for so long, or every message would wait for it
REMEMBERED = 10_000  # users; the idle among them are forgotten then

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


class MessageLimit(Protocol):
    async def take(self, user_id: UUID) -> bool:
        """Count a write of the user; False when there were MESSAGES within the window. Raises nothing."""

    async def close(self) -> None: ...


class LocalLimit:
    """For a bridge that is alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._taken: dict[UUID, deque[float]] = {}

    async def take(self, user_id: UUID) -> bool:
        now = self._clock()
        if len(self._taken) > REMEMBERED:
            self._taken = {user: taken for user, taken in self._taken.items() if now - taken[-1] < WINDOW_S}
        taken = self._taken.setdefault(user_id, deque(maxlen=MESSAGES))
        if len(taken) == MESSAGES and now - taken[0] < WINDOW_S:
            return False
        taken.append(now)
        return True

    async def close(self) -> None: ...


class SharedLimit:
    """For bridges that share a Redis: exact over all of them."""

    def __init__(self, redis_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = connect(redis_url, TIMEOUT_S)
        self._take = self._redis.register_script(TAKE)
        self._alone = LocalLimit(clock)
        self._clock = clock
        self._ask_from = float("-inf")

    async def take(self, user_id: UUID) -> bool:
        if self._clock() >= self._ask_from:
            try:
                args = [MESSAGES, int(WINDOW_S * 1_000_000)]
                return bool(await self._take(keys=[f"crossfade.legacy.messages:{user_id}"], args=args))
            except BROKEN as error:
                self._ask_from = self._clock() + REST_S
                metrics.LIMITS_APART.inc()
                log.warning("legacy limit is counted by each bridge", error=type(error).__name__)
        return await self._alone.take(user_id)

    async def close(self) -> None:
        with contextlib.suppress(*BROKEN):
            await self._redis.aclose()
