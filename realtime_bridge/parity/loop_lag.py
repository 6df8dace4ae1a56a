"""Lag of this process's event loop, measured at fixed moments.

A loop that stands still delivers nothing and measures nothing. When it goes on, it finds the ticks that it missed, and
each of them counts as late as it is by then.
"""

import asyncio
import time
from collections.abc import Callable

from realtime_bridge import metrics
from realtime_bridge.parity.ticks import Schedule
from realtime_bridge.rollout.gate import latency

RATE_PER_S = 20.0  # a stall of half a second is ten samples; a twentieth of a millisecond of work each


class LoopLag:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._schedule = Schedule(lambda: RATE_PER_S, clock)
        self._lags_ms: list[float] = []

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await asyncio.sleep(self._schedule.wait_s)
            self.run_once()

    def run_once(self) -> int:
        """Note how late each due tick is; return how many there were."""
        now = self._clock()
        lags_s = [now - due for due in self._schedule.take()]
        for lag_s in lags_s:
            metrics.LOOP_LAG.observe(lag_s)
        self._lags_ms += [lag_s * 1_000 for lag_s in lags_s]
        return len(lags_s)

    def take(self) -> list[int]:
        """Return the histogram since the last call."""
        lags_ms, self._lags_ms = self._lags_ms, []
        return latency.histogram(lags_ms)
