"""Pace at which somebody may take something. Asked by handlers and catch-ups."""

import asyncio
import time
from collections.abc import Callable, Hashable

from cachetools import LRUCache

REMEMBERED = 10_000  # who took something of late; the longest idle is forgotten, and begins anew


class Pace:
    """A token bucket for each key, kept as the time at which it will be full again (GCRA)."""

    def __init__(self, *, per_s: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._full_at: LRUCache[Hashable, float] = LRUCache(REMEMBERED)

    async def take(self, key: Hashable, amount: float, *, within_s: float) -> bool:
        """Take `amount`, waiting for it up to `within_s`; False when it would take longer, and then nothing is taken.

        More than the burst can be taken at once, and is waited for afterwards.
        """
        wait_s = self._wait_s(key, amount, within_s)
        if wait_s is None:
            return False
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        return True

    def _wait_s(self, key: Hashable, amount: float, within_s: float) -> float | None:
        now = self._clock()
        before = max(now, self._full_at.get(key, now))
        full_at = before + amount / self._per_s
        wait_s = max(0.0, min(full_at - now - self._burst / self._per_s, before - now))
        if wait_s > within_s:
            return None
        self._full_at[key] = full_at
        return wait_s
