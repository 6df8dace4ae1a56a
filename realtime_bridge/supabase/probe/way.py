"""The way to Supabase's clients: is what is sent now heard? And up to when what was sent has been.

A row of `realtime.messages` and an answer of 202 promise nothing. What is known comes from the bridge's own seat (it
stands for everybody's), from probes that come out of it, and from the slots through which Realtime reads the rows.
While the way is away, events wait in the log; when it is back, the relay's cursor goes back to what was heard last.
"""

import time
from collections.abc import Awaitable, Callable, Collection
from itertools import accumulate
from typing import Any

import structlog
from psycopg import AsyncConnection

from realtime_bridge import metrics
from realtime_bridge.relay.sink import SinkNotReady
from realtime_bridge.supabase.rate import Rate

log = structlog.get_logger(__name__)

HOLD_S = 900.0  # later a live message is history, and clients fetch
HOLD_UNSEATED_S = 10.0  # without a seat nobody knows whether anybody listens: an idle project has no slot
KEEP_S = 60.0  # how long what was sent counts as unheard where no probe can tell; a slot is back in some ten
LOOK_S = 0.25  # one look at a view of a few rows, while something is unheard or waits
POLL_S = 0.25
AGAIN_S = 0.05
CHANGE_S = 1.0  # what HTTP has accepted is heard before what the database sends
UNKNOWN_AWAY_S = 3.0  # how long Realtime was away when nobody looked: the first retries of its clients have failed
JOIN_S = 1.0  # from a client's retry to its channel
RETRIES_S = (1.0, 2.0, 5.0)  # of supabase-js after a loss, and from then on each 10 s
LAST_RETRY_S = 10.0
AWAY = "Realtime's replication slot is not there; events wait for it."
APART = "Realtime is away: the bridge's own seat is lost; events wait for it."
SILENT = "Realtime delivers nothing of what the database sends; events wait."
BACK = "Realtime is back; its clients are joining again."
AGAIN = "What Realtime has perhaps not heard is sent again first."


def settle_s(away_s: float) -> float:
    """Return how long after a loss of `away_s` official clients need to be back: until their next retry, and a join."""
    for retry_at in accumulate(RETRIES_S):
        if away_s <= retry_at:
            return retry_at - away_s + JOIN_S
    return (sum(RETRIES_S) - away_s) % LAST_RETRY_S + JOIN_S


class Way:
    """Told by the watch and by the transport; asked by the sink before it sends, and by the relay: its Echo.

    `over_http`: that path is in use. `has_seat`: the bridge sits at Supabase itself, and somebody calls `sit`.
    """

    def __init__(
        self,
        *,
        over_http: bool = False,
        has_seat: bool = False,
        rate: Rate | None = None,
        hold_s: float | None = None,
        find_readers: Callable[[AsyncConnection[Any]], Awaitable[Collection[str]]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.over_http = over_http
        self.rate = rate or Rate(clock=clock)
        self.has_seat = has_seat
        self._hold_s = (HOLD_S if has_seat else HOLD_UNSEATED_S) if hold_s is None else hold_s
        self.is_deaf = False
        """Clients may hear, but this bridge cannot get in to listen."""
        self.asked_at = float("-inf")
        """When somebody last had something to send."""
        self.readers: frozenset[str] = frozenset()
        self._find_readers = find_readers
        self._clock = clock
        self._heard_until = clock()
        self._is_broken = False
        self._was_seated = False
        self._apart_since: float | None = None
        self._unread_since: float | None = None
        self._silent_since: float | None = None
        self._open_at = float("-inf")
        self._shut_since: float | None = None
        self._look_at = float("-inf")

    @property
    def heard_until(self) -> float:
        """Until when what was sent has been heard; where nobody can tell, silence is believed after a while."""
        now = self._clock()
        if self._is_broken:
            return max(self._heard_until, now - HOLD_S)
        if self.is_deaf:
            return now
        return max(self._heard_until, now - (HOLD_S if self.has_seat else KEEP_S))

    @property
    def must_go_back(self) -> bool:
        return self._is_broken and not self._why_shut(self._clock())

    def check(self) -> None:
        """Raise SinkNotReady while what is sent would not be heard, or would overtake what was not."""
        now = self.asked_at = self._clock()
        if why := self._why_shut(now):
            raise SinkNotReady(why, POLL_S)
        if self._is_broken:
            raise SinkNotReady(AGAIN, AGAIN_S)

    async def look(self, connection: AsyncConnection[Any], *, is_unheard: bool) -> None:
        """Look who reads the rows now, if it is time: while something is unheard, or waits for a reader."""
        now, is_due = self._clock(), is_unheard or self._unread_since is not None
        if is_due and self._find_readers and not self.over_http and now >= self._look_at:
            self._look_at = now + LOOK_S
            self.read_by(await self._find_readers(connection))

    def read_by(self, found: Collection[str]) -> None:
        """Note who reads the rows now. Whoever connects anew has missed what was written before."""
        now = self._clock()
        if not found:
            self._unread_since = now if self._unread_since is None else self._unread_since
            return
        kept = self.readers & frozenset(found)
        if not kept and (self.readers or self._unread_since is not None):
            self.lose("another reader has the rows")
            if not self.has_seat and self.readers:
                self._settle(now, now - (now if self._unread_since is None else self._unread_since))
        self.readers = kept or frozenset(found)
        self._unread_since = None

    def sit(self, *, is_joined: bool) -> None:
        """Note whether the bridge is in its own channel. Where it was, being out means that others are, too."""
        now = self._clock()
        if not is_joined:
            if self._was_seated and self._apart_since is None:
                self._apart_since = now
            return
        if self._apart_since is not None:
            self.lose("the bridge has joined again")
            self.rate.begin_anew()
            self._settle(now, now - self._apart_since)
        self._was_seated, self._apart_since = True, None
        self._set_deaf(is_deaf=False)

    def give_up_listening(self) -> None:
        """Go on without ears: what is posted is taken, and only this bridge cannot join."""
        self._apart_since = None
        self._set_deaf(is_deaf=True)

    def hear(self, at: float) -> None:
        """Note that a probe sent at `at` has come out, and all before it."""
        if not self._is_broken:
            self._heard_until = max(self._heard_until, at)

    def lose(self, reason: str) -> None:
        """Note that something was perhaps not heard since what was heard last."""
        if not self._is_broken:
            log.info("the way to Supabase was broken", reason=reason)
        self._is_broken = True

    def hold(self, *, is_silent: bool) -> None:
        """While nothing comes out of the database, and HTTP is no way out either, events wait in the log."""
        if not is_silent:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = self._clock()

    def use_http(self) -> None:
        """Change over from the database, which is silent."""
        if not self.over_http:
            self.over_http, self._silent_since = True, None
            self.lose("Supabase is reached over HTTP now")
            metrics.FALLBACK.set(1)

    def use_database(self) -> None:
        """Change back."""
        if self.over_http:
            self.over_http = False
            self._open_at = self._clock() + CHANGE_S
            metrics.FALLBACK.set(0)
            log.info("Supabase is reached through the database again")

    def take_over(self, readers: Collection[str], *, has_unheard: bool) -> None:
        """Go on from another bridge's mark, or from this one's before it lost the lease."""
        self.readers, self._is_broken = frozenset(readers), self._is_broken and has_unheard
        self._heard_until = self._clock()
        if self.over_http and has_unheard:
            self.lose("another bridge posted it")
            self._settle(self._clock(), UNKNOWN_AWAY_S)

    def went_back(self) -> None:
        self._is_broken = False

    def _why_shut(self, now: float) -> str:
        """Return why nothing would be heard now; after a while that is given up, for holding back serves no one.

        The while begins with the first question, and ends when the way is open: however often a cause comes and goes.
        """
        causes = {APART: self._apart_since is not None}
        if not self.over_http:
            causes |= {AWAY: self._unread_since is not None, SILENT: self._silent_since is not None}
        causes[BACK] = now < self._open_at
        why = next((why for why, is_so in causes.items() if is_so), "")
        if not why:
            self._shut_since = None
        elif self._shut_since is None:
            self._shut_since = now
        return why if self._shut_since is not None and now - self._shut_since < self._hold_s else ""

    def _settle(self, now: float, away_s: float) -> None:
        if away_s < HOLD_S:
            self._open_at = now + settle_s(away_s)

    def _set_deaf(self, *, is_deaf: bool) -> None:
        if is_deaf != self.is_deaf:
            log.warning(
                "the bridge cannot join its own channel at Supabase" if is_deaf else "the bridge has joined again"
            )
        self.is_deaf = is_deaf
        metrics.SUPABASE_DEAF.set(is_deaf)
