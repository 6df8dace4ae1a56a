"""Rate of broadcasts that a project takes, kept below its limit. Over it Realtime drops in silence. Pure.

Counted as the server counts: an average over a minute, so bursts pass. Each delivery counts there, too, and only the
server knows how many listen: so the share that is used is lowered when it refuses, and raised again slowly.
"""

import time
from collections import deque
from collections.abc import Callable

from realtime_bridge import metrics
from realtime_bridge.relay.sink import SinkOverRate

WINDOW_S, TICK_S = 60.0, 5.0  # the server's: twelve ticks, and a verdict that stands for one
SHARE = 0.8  # of the limit: what is left is for deliveries, probes and what clients send
LOWERED = 0.85  # after a refusal
LEAST_SHARE = 0.05
LEAST_GUESS = 20.0  # events a second: what the probes of a rollout cost is a fifth of it
GROWN = 1.1  # a guess, as often as a share is raised: it was made from what happened to be sent
RAISE_S, RAISED = 10.0, 0.01  # a refusal costs some ten seconds; it is risked again after two and a half minutes
PAUSE_S = 6.0  # after a refusal: longer than a tick, and than two looks, which say what was dropped before it
SMALLER_S = 0.05  # before the same again in smaller batches
ROUND_S = 0.25  # between two pages at the limit: each is a read of the log
BATCH = 100  # what the HTTP endpoint takes within reason: each topic is authorized in turn


class Rate:
    """`limit` is in events a second; None: unknown, and none is kept until the server refuses something."""

    def __init__(self, limit: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self.share = SHARE
        self._is_guess = False
        self.batch = BATCH
        self._clock = clock
        self._since = self._changed_at = clock()
        self._not_before = float("-inf")
        self._spent: deque[tuple[float, int]] = deque()
        self._sum = 0

    @property
    def per_s(self) -> float | None:
        """Broadcasts a second that may go on average."""
        return None if self.limit is None else self.limit * self.share

    def room(self) -> int | None:
        """Return how many broadcasts may go now; None for any number."""
        return None if self.limit is None else max(0, int(self._budget() - self._sum))

    def check(self, count: int) -> None:
        """Raise SinkOverRate, with when to ask again, as long as `count` broadcasts would be too many."""
        now = self._clock()
        wait_s = self._not_before - now
        self._recover(now)
        if wait_s <= 0 and self.limit is not None:
            budget = self._budget()
            wait_s = ROUND_S if self._sum + min(count, budget) > budget else 0.0
        metrics.SUPABASE_OVER_RATE.set(wait_s > 0)
        if wait_s > 0:
            raise SinkOverRate(self._reason(), wait_s)

    def spend(self, count: int) -> None:
        """Note that so many were sent."""
        now = self._clock()
        self._sum += count
        if self._spent and now - self._spent[-1][0] < 1.0:
            at, before = self._spent.pop()
            count, now = before + count, at
        self._spent.append((now, count))

    def learn(self, limit: str | None) -> None:
        """Take the server's own word (its header `x-rate-limit`), for a guess and where it is lower."""
        if not limit or not limit.isdecimal() or not int(limit):
            return
        if self.limit is None or self._is_guess or int(limit) < self.limit:
            self._is_guess = False
            self._set(float(limit), self.share)

    def refused(self, retry_after_s: float | None = None) -> SinkOverRate:
        """Note an answer of 429: pause, and use less than before. Returns what to raise."""
        now = self._clock()
        wait_s = max(PAUSE_S, min(retry_after_s or 0.0, WINDOW_S))
        self._not_before = now + wait_s
        self._forget_before(now - WINDOW_S)
        if self.limit is None:
            seen = self._sum / min(WINDOW_S, max(TICK_S, now - self._since))
            self._is_guess = True
            self._set(max(LEAST_GUESS, seen), SHARE)
        elif now - self._changed_at > TICK_S:
            self._set(self.limit, max(LEAST_SHARE, self.share * LOWERED))
        self._changed_at = now
        metrics.SUPABASE_OVER_RATE.set(1)
        return SinkOverRate(f"Supabase answered 429. {self._reason()}", wait_s)

    def shrink(self) -> SinkOverRate:
        """Note that a batch was too large beside what went before it. Returns what to raise."""
        if self.batch == 1:
            return self.refused()
        self.batch //= 2
        return SinkOverRate(self._reason(), SMALLER_S)

    def begin_anew(self) -> None:
        """Realtime was away: its own count begins anew, and silence before that does not soften its average."""
        self._since = self._clock()
        self._spent.clear()
        self._sum = 0
        self.batch = BATCH

    def _budget(self) -> float:
        now = self._clock()
        self._forget_before(now - WINDOW_S)
        return (self.per_s or 0.0) * min(WINDOW_S, max(TICK_S, now - self._since))

    def _reason(self) -> str:
        if self.limit is None:
            return "The project takes no more events now; the rest waits in the log."
        return (
            f"The project takes {self.limit:.0f} events a second; {self.per_s:.0f} broadcasts a second are sent, the"
            " rest waits in the log."
        )

    def _recover(self, now: float) -> None:
        """Risk a little more than before, when nothing was refused for a while."""
        if now - self._changed_at <= RAISE_S:
            return
        self._changed_at = now
        self.batch = min(BATCH, self.batch * 2)
        if self.limit is not None and self.share < SHARE:
            self._set(self.limit, min(SHARE, self.share + RAISED))
        elif self.limit is not None and self._is_guess:
            self._set(self.limit * GROWN, SHARE)

    def _set(self, limit: float | None, share: float) -> None:
        self.limit, self.share = limit, share
        metrics.SUPABASE_RATE.set(self.per_s or 0)

    def _forget_before(self, at: float) -> None:
        while self._spent and self._spent[0][0] < at:
            self._sum -= self._spent.popleft()[1]
