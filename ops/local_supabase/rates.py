"""Rates as the real server measures them: an average over up to twelve ticks of five seconds, evaluated per tick."""

from collections import deque

from ops.local_supabase.settings import Limits

_TICKS = 12  # one minute on the real server's clock


class RateCounter:
    """Counts now, judges later: a burst passes until the next tick, and is remembered for twelve."""

    def __init__(self, limit_per_s: int, tick_s: float) -> None:
        self.limit_per_s = limit_per_s
        self._tick_s = tick_s
        self._now = 0
        self._ticks: deque[int] = deque(maxlen=_TICKS)
        self.average_per_s = 0.0

    def add(self, count: int = 1) -> None:
        self._now += count

    @property
    def over(self) -> bool:
        return self.average_per_s >= self.limit_per_s

    def tick(self) -> None:
        """Close the current tick and judge."""
        self._ticks.append(self._now)
        self._now = 0
        self.average_per_s = sum(self._ticks) / (len(self._ticks) * self._tick_s)


class Rates:
    """The four counters of a project."""

    def __init__(self, limits: Limits, tick_s: float) -> None:
        self.events = RateCounter(limits.max_events_per_second, tick_s)
        self.requests = RateCounter(limits.max_events_per_second, tick_s)
        self.joins = RateCounter(limits.max_joins_per_second, tick_s)
        self.presence = RateCounter(limits.max_presence_events_per_second, tick_s)

    def tick(self) -> None:
        for counter in (self.events, self.requests, self.joins, self.presence):
            counter.tick()
