"""Watch over Supabase: does what is sent come out, and where?

A row of `realtime.messages` promises nothing (it is written, and nobody may hear of it), neither does an answer of 202,
and a provider that hangs answers nothing. So the bridge sits in a channel of its own and asks what a user would ask:
does what is sent now arrive? A silent path is left for the other one; when neither delivers, that is an outage, and
the run of failures is told. What it learns, it says to the Way. Nothing is stored in the log.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from realtime_bridge import metrics
from realtime_bridge.supabase.probe.pace import DOUBT_S, Pace
from realtime_bridge.supabase.probe.path import PathProbe, Send
from realtime_bridge.supabase.probe.seat_watch import REASON, SeatWatch
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.seat import Seated

log = structlog.get_logger(__name__)

TICK_S = 0.1
HEALTHY_AFTER_S = 10.0  # of unbroken answers: going back and forth would cost more than staying
SILENT_AFTER = 3  # probes that failed while HTTP delivers: a commit of a million rows holds one up, not three
EXCUSED_S = 10.0  # after the database was away: without it nobody can join
HELD_AFTER = 6  # probes that failed: then nothing more is written to a path that seems to lead nowhere
PROBE_EVENTS = 2  # one sent, and one delivered to this bridge
MOST_TOLD = 20  # the length of a run: it is an outage long before, and each new figure is a write
DEAF_AFTER_S = 30.0  # apart for so long while posts are taken: it is this bridge that is not let in
CLOSE_LOOK_S = 15.0  # how long a doubt is looked at closely; every look is a message that somebody pays for


@dataclass(kw_only=True, eq=False, repr=False)
class Watch:
    """`is_wanted`: this bridge feeds Supabase now. `send_to_database` is None where there is only HTTP.

    `tell` gets the length of the run of failures whenever it changes, with the reason of the last one.
    """

    seats: Seated
    name: str
    way: Way
    send_to_database: Send | None
    send_over_http: Send
    pace: Pace
    is_wanted: Callable[[], bool]
    tell: Callable[[int, str], Awaitable[None]]
    clock: Callable[[], float] = time.monotonic
    _told: int = 0
    _doubtful_since: float | None = None

    def __post_init__(self) -> None:
        to_database = self.send_to_database
        self._topic = topic_of(self.name)
        self._database = PathProbe("database", to_database, clock=self.clock) if to_database else None
        self._http = PathProbe("http", self.send_over_http, clock=self.clock)
        self._both = [self._database, self._http] if self._database else [self._http]
        self._seat = SeatWatch(self.clock())

    async def run(self) -> None:
        """Watch until cancelled."""
        self.seats.take(self._topic, self._receive)
        try:
            while True:
                await self.run_once()
                await asyncio.sleep(TICK_S)
        finally:
            for path in self._both:
                path.stop()

    async def run_once(self) -> int:
        """Look at what became of the probes, send what is due; return how many are on their way."""
        now = self.clock()
        is_joined = self.seats.is_joined(self._topic)
        self._seat.look(now, is_joined=is_joined, is_excused=self._is_excused)
        self.way.sit(is_joined=is_joined)
        failures = 0, ""
        if self.is_wanted():
            for path in self._both:
                path.judge(now, self._seat.listening_since)
            self._tell_way(now)
            self._choose_path(now)
            self._probe(now)
            failures = self._failures()
        else:
            self._let_go()
        await self._tell_failures(*failures)
        return sum(path.under_way for path in self._both)

    @property
    def _in_use(self) -> PathProbe:
        return self._database if self._database and not self.way.over_http else self._http

    @property
    def _is_excused(self) -> bool:
        return self._database is not None and self.clock() - self._database.blind_at < EXCUSED_S

    @property
    def _is_doubtful(self) -> bool:
        return self._in_use.is_doubtful or not self._seat.is_joined

    def _probe(self, now: float) -> None:
        """Probe the path in use at its pace; in doubt look closer for a while, and also at the other one."""
        is_doubtful = self._is_doubtful
        if not is_doubtful:
            self._doubtful_since = None
        elif self._doubtful_since is None:
            self._doubtful_since = now
        pace_s = self.pace.interval_s(is_heard=self.way.is_deaf)
        is_close = self._doubtful_since is not None and now - self._doubtful_since < CLOSE_LOOK_S
        closer_s = DOUBT_S if is_close else pace_s
        due = {self._http: closer_s if is_doubtful else pace_s}
        if self._database and self.way.over_http:
            due[self._database] = DOUBT_S  # it is looked at until it is well again
        elif self._database and is_doubtful:
            due[self._database] = closer_s
        elif self._database:
            due = {self._database: pace_s}
            self._http.forget()
        for path, after_s in due.items():
            if (path is self._http or self._seat.is_joined) and path.probe(now, after_s):
                self.way.rate.spend(PROBE_EVENTS)

    def _tell_way(self, now: float) -> None:
        """Say until when what was sent was heard, what was lost, and when this bridge has no ears."""
        if self._in_use.has_lost:
            self.way.lose("probes were lost")
        for path in self._both:
            path.has_lost = False
        self.way.hear(self._in_use.heard_until)
        is_taken = now - self._http.taken_at < 2 * self.pace.interval_s(is_heard=True)
        if self._seat.unseated_s > DEAF_AFTER_S and is_taken:
            self.way.give_up_listening()

    def _choose_path(self, now: float) -> None:
        if self._database is None:
            return
        database, is_silent = self._database, False
        if not self.way.over_http:
            is_silent = database.failures >= SILENT_AFTER
            if is_silent and self._http.well_since is not None and not self._http.failures:
                log.warning("Supabase is silent: probes through the database are not delivered")
                self.way.use_http()
            else:
                self.way.hold(is_silent=database.failures >= HELD_AFTER)
        else:
            is_silent = True
            if database.well_since is not None and now - database.well_since > HEALTHY_AFTER_S:
                log.info("Supabase delivers what the database sends again")
                self.way.use_database()
        metrics.SUPABASE_SILENT.set(is_silent)

    def _failures(self) -> tuple[int, str]:
        """Return the run of failures of all that could deliver, and why: while one path delivers there is none."""
        database, http, apart = self._database, self._http, self._seat.failures
        if self._is_excused:
            return 0, ""
        if apart and apart >= http.failures:
            return apart, REASON
        if database and not self.way.over_http:
            if not http.failures:
                return apart, REASON
            if not database.failures and self._seat.is_joined:
                return 0, ""
            longer = max(database, http, key=lambda path: path.failures)
            return longer.failures, longer.reason
        return http.failures, http.reason

    def _let_go(self) -> None:
        """Know nothing of Supabase, and hold nothing back: word of the dial still goes there, to who is connected."""
        for path in self._both:
            path.forget()
        self.way.hold(is_silent=False)

    async def _tell_failures(self, failures: int, reason: str) -> None:
        count = min(failures, MOST_TOLD)
        if count != self._told:
            self._told = count
            await self.tell(count, reason)

    def _receive(self, _event: str, payload: Mapping[str, Any]) -> None:
        name = str(payload.get("probe"))
        for path in self._both:
            path.hear(name)


def topic_of(name: str) -> str:
    return f"crossfade:probe:{name}"
