"""The watch over Supabase: does what is sent there come out, and on which path? Started by `__main__`.

A row of `realtime.messages` promises nothing (it is written, and nobody may hear of it), neither does an answer of 202,
and a provider that hangs answers nothing. So the bridge sits in a channel of its own and asks what a user would ask:
does what is sent now arrive? A silent path is left for the other one; when neither delivers, that is an outage, and
the run of failures is told. Nothing is stored in the log.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import structlog

from realtime_bridge import metrics
from realtime_bridge.parity.ears import Seated
from realtime_bridge.parity.pace import DOUBT_S, Pace
from realtime_bridge.parity.path_probe import PathProbe, Send
from realtime_bridge.parity.seat_watch import REASON, SeatWatch

log = structlog.get_logger(__name__)

TICK_S = 0.1
HEALTHY_AFTER_S = 10.0  # of unbroken answers: going back and forth would cost more than staying
SILENT_AFTER = 3  # probes that failed while HTTP delivers: a commit of a million rows holds one up, not three
EXCUSED_S = 10.0  # after the database was away: without it nobody can join
HELD_AFTER = 6  # probes that failed: then nothing more is written to a path that seems to lead nowhere
EVENT = "probe"


class Paths(Protocol):
    """What is needed of `transports.fallback.FallbackTransport`."""

    @property
    def transactional(self) -> bool: ...

    def use_http(self, heard_until: float) -> None: ...

    def use_database(self) -> None: ...

    def heard_until(self, at: float) -> None: ...

    def hold(self, *, is_silent: bool) -> None: ...


class Watch:
    """`is_wanted`: this bridge feeds Supabase now. `paths` is None where there is only HTTP.

    `tell` gets the length of the run of failures whenever it changes, with the reason of the last one.
    """

    def __init__(
        self,
        *,
        seats: Seated,
        name: str,
        paths: Paths | None,
        send_to_database: Send | None,
        send_over_http: Send,
        pace: Pace,
        is_wanted: Callable[[], bool],
        tell: Callable[[int, str], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seats = seats
        self._topic = topic_of(name)
        self._paths = paths
        self._database = PathProbe("database", send_to_database, clock=clock) if send_to_database else None
        self._http = PathProbe("http", send_over_http, clock=clock)
        self._pace = pace
        self._is_wanted = is_wanted
        self._tell = tell
        self._clock = clock
        self._seat = SeatWatch(clock())
        self._told = 0

    async def run(self) -> None:
        """Watch until cancelled."""
        self._seats.take(self._topic, self._receive)
        try:
            while True:
                await self.run_once()
                await asyncio.sleep(TICK_S)
        finally:
            for path in self._both:
                path.stop()

    async def run_once(self) -> int:
        """Look at what became of the probes, send what is due; return how many are on their way."""
        now = self._clock()
        self._seat.look(now, is_joined=self._seats.is_joined(self._topic), is_excused=self._is_excused)
        if self._is_wanted():
            for path in self._both:
                path.judge(now, self._seat.listening_since)
            self._choose_path(now)
            self._probe(now)
        else:
            self._let_go()
        await self._tell_failures(self._failures() if self._is_wanted() else (0, ""))
        return sum(path.under_way for path in self._both)

    @property
    def _both(self) -> list[PathProbe]:
        return [self._database, self._http] if self._database else [self._http]

    @property
    def _uses_database(self) -> bool:
        return self._paths is not None and self._paths.transactional

    @property
    def _is_excused(self) -> bool:
        return self._database is not None and self._clock() - self._database.blind_at < EXCUSED_S

    @property
    def _is_doubtful(self) -> bool:
        in_use = self._database if self._database and self._uses_database else self._http
        return in_use.is_doubtful or not self._seat.is_joined

    def _probe(self, now: float) -> None:
        """Probe the path in use at its pace; in doubt look closer, and also at the other one."""
        interval_s = DOUBT_S if self._is_doubtful else self._pace.interval_s()
        if not self._database:
            self._http.probe(now, interval_s)
        elif self._uses_database:
            self._database.probe(now, interval_s)
            if self._is_doubtful:
                self._http.probe(now, DOUBT_S)
            else:
                self._http.forget()
        else:
            self._http.probe(now, interval_s)
            self._database.probe(now, DOUBT_S)  # it is looked at until it is well again

    def _choose_path(self, now: float) -> None:
        if self._paths is None or self._database is None:
            return
        database, is_silent = self._database, False
        if self._uses_database:
            self._paths.heard_until(database.heard_until)
            is_silent = database.failures >= SILENT_AFTER
            if is_silent and self._http.well_since is not None and not self._http.failures:
                log.warning("Supabase is silent: probes through the database are not delivered")
                self._paths.use_http(database.heard_until)
            else:
                self._paths.hold(is_silent=database.failures >= HELD_AFTER)
        else:
            is_silent = True
            if database.well_since is not None and now - database.well_since > HEALTHY_AFTER_S:
                log.info("Supabase delivers what the database sends again")
                self._paths.use_database()
        metrics.SUPABASE_SILENT.set(is_silent)

    def _failures(self) -> tuple[int, str]:
        """Return the run of failures of all that could deliver, and why: while one path delivers there is none."""
        database, http, apart = self._database, self._http, self._seat.failures
        if self._is_excused:
            return 0, ""
        if apart and apart >= http.failures:
            return apart, REASON
        if database and self._uses_database:
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
        if self._paths is not None:
            self._paths.hold(is_silent=False)

    async def _tell_failures(self, found: tuple[int, str]) -> None:
        count, reason = found
        if count != self._told:
            self._told = count
            await self._tell(count, reason)

    def _receive(self, _event: str, payload: Mapping[str, Any]) -> None:
        name = str(payload.get("probe"))
        for path in self._both:
            if path.hear(name):
                return


def topic_of(name: str) -> str:
    return f"crossfade:probe:{name}"
