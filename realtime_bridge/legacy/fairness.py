"""Shares of a bridge: how fast somebody may take something, and who is next where places are few."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager

REMEMBERED = 10_000  # who took something of late; the longest idle is forgotten, and begins anew


class Pace:
    """A token bucket for each key, kept as the time at which it will be full again (GCRA)."""

    def __init__(self, *, per_s: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

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
        self._full_at.move_to_end(key)
        while len(self._full_at) > REMEMBERED:
            self._full_at.popitem(last=False)
        return wait_s


class Turns:
    """At most `total` at a time and `each` of them for one key; keys that wait have their turn one after the other."""

    def __init__(self, total: int, each: int) -> None:
        self._free = total
        self._each = each
        self._held: dict[Hashable, int] = {}
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def of(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for a turn and hold it; who waits bounds that by a timeout around it."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        self._pass_on()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._give_back(key)
            self._pass_on()

    def _give_back(self, key: Hashable) -> None:
        self._free += 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]

    def _pass_on(self) -> None:
        """Give free turns to those who wait: the next key that may have one more, and that key then stands last."""
        while self._free:
            key = next((key for key in self._waiting if self._held.get(key, 0) < self._each), None)
            if key is None:
                return
            waiting = self._waiting.pop(key)
            turn = waiting.popleft()
            if waiting:
                self._waiting[key] = waiting
            if not turn.done():  # else who waited has given up
                turn.set_result(None)
                self._free -= 1
                self._held[key] = self._held.get(key, 0) + 1
