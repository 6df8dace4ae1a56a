"""Ticks at fixed distances, whatever happens between. Who was away gets those that it missed. Pure; its clock is given.

A measuring that plans its next step when the last one is done does not see what holds it up: while it waits it measures
nothing, and what it measures afterwards is fast ("coordinated omission"). Here a tick is due when it is due.
"""

import time
from collections.abc import Callable

MAX_MISSED = 1_000  # ticks handed out at once: a minute and a half at ten a second; older ones say nothing more


class Schedule:
    """`rate_per_s` is asked at each look; another rate counts from the look that finds it, and makes nothing late."""

    def __init__(self, rate_per_s: Callable[[], float], clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s = rate_per_s
        self._clock = clock
        self._last = clock()
        self._interval_s = 1 / rate_per_s()

    @property
    def wait_s(self) -> float:
        """How long the next tick is away; 0 when it is overdue."""
        return max(0.0, self._last + 1 / self._rate_per_s() - self._clock())

    def take(self) -> list[float]:
        """Return the moments of the ticks that are due by now, oldest first, and not handed out before."""
        now, interval_s = self._clock(), 1 / self._rate_per_s()
        due = self._due(now)
        if interval_s != self._interval_s:
            self._last = max(self._last, now - interval_s)
            self._interval_s = interval_s
            due += self._due(now)
        return due

    def _due(self, now: float) -> list[float]:
        count = int((now - self._last) / self._interval_s + 1e-9)
        first = max(1, count - MAX_MISSED + 1)
        due = [self._last + number * self._interval_s for number in range(first, count + 1)]
        self._last += count * self._interval_s
        return due
