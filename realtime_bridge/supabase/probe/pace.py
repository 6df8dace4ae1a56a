"""Pace of looks whether Supabase delivers. Every look is messages that somebody pays for. Pure."""

import time
from collections.abc import Callable
from dataclasses import dataclass

ROLLOUT_S = 0.5  # in `shadow` and `ramp`, where a gate turns back within seconds
DOUBT_S = 0.25  # six in a row are an outage, and what is over in less than 1.5 s never is
BUSY_S = 3.0  # elsewhere, while something is being sent: a silent path is known some five seconds after it


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Pace:
    """`last_sent_at`: when something was to be broadcast. `heard_until`: until when that was heard. `idle_s`: else."""

    is_rolling_out: Callable[[], bool]
    last_sent_at: Callable[[], float]
    heard_until: Callable[[], float]
    idle_s: float
    clock: Callable[[], float] = time.monotonic

    def interval_s(self, *, is_heard: bool = False) -> float:
        """Return the interval now; `is_heard`: what was sent last needs no look of its own."""
        if self.is_rolling_out():
            return ROLLOUT_S
        is_unheard = not is_heard and self.heard_until() < self.last_sent_at()
        is_busy = is_unheard or self.clock() - self.last_sent_at() < BUSY_S
        return min(BUSY_S, self.idle_s) if is_busy else self.idle_s
