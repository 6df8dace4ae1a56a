"""Rates as the real server measures them. An average over up to twelve ticks of five seconds, evaluated per tick.

An event is whatever is sent, and whatever a channel receives: one broadcast to four channels is five.
"""

from collections import deque

from ops.local_supabase.settings import Limits

OVER = "You have exceeded your rate limit"
_TICKS = 12  # one minute on the real server's clock
_SILENT_TICKS = 120  # ten minutes: then the real server's counter ends, and the next client begins a new one


class RateCounter:
    """Counts now, judges later: a burst passes until the next tick, and is remembered for twelve.

    It begins with the first client, by a look that finds nothing: silence before does not soften the average.
    """

    def __init__(self, limit_per_s: int, tick_s: float) -> None:
        self.limit_per_s = limit_per_s
        self._tick_s = tick_s
        self._now = 0
        self._ticks: deque[int] = deque(maxlen=_TICKS)
        self._silent = 0
        self.average_per_s = 0.0

    def begin(self) -> None:
        """Somebody is there whose doings would count."""
        if not self._ticks:
            self._ticks.append(0)

    def add(self, count: int = 1) -> None:
        self.begin()
        self._now += count

    @property
    def over(self) -> bool:
        return self.average_per_s >= self.limit_per_s

    def tick(self) -> None:
        """Close the current tick and judge."""
        if not self._ticks:
            return
        self._silent = 0 if self._now else self._silent + 1
        if self._silent >= _SILENT_TICKS:
            self._ticks.clear()
            self._silent = 0
            return
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

    def begin(self) -> None:
        """A client joins: everything it may do is counted from now on."""
        for counter in (self.events, self.joins, self.presence):
            counter.begin()

    def refusal(self, broadcasts: int) -> str | None:
        """Say why so many broadcasts may not be sent at once, whichever way they came; None: they may."""
        average, limit = self.events.average_per_s, self.events.limit_per_s
        if average > limit:
            return OVER
        return "Too many messages to broadcast, please reduce the batch size" if broadcasts + average > limit else None

    def tick(self) -> None:
        for counter in (self.events, self.requests, self.joins, self.presence):
            counter.tick()
