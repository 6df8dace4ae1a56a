"""A watch without a server: time passes when a test says so, and probes meet the fate that it chose."""

import asyncio
from collections.abc import Callable, Coroutine
from enum import StrEnum

from realtime_bridge.relay.sink import SinkNotReady, SinkUnavailable
from realtime_bridge.supabase.probe.pace import Pace
from realtime_bridge.supabase.probe.watch import TICK_S, Watch
from realtime_bridge.supabase.probe.way import SILENT as NOTHING_DELIVERED
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.seat import Receive

OUTAGE = 6  # one more than a gate allows
IDLE_S = 60.0


class Seat:
    """The bridge's own seat."""

    is_taken = True
    receive: Receive

    def take(self, _topic: str, receive: Receive) -> None:
        self.receive = receive

    def leave(self, topic: str) -> None: ...

    def is_joined(self, _topic: str) -> bool:
        return self.is_taken


class Fate(StrEnum):
    """What becomes of what is sent."""

    DELIVERS = "delivers"
    DROPS = "drops"
    REFUSES = "refuses"
    HANGS = "hangs"
    AWAY = "away"
    """The database is not there."""


class RecordedWay(Way):
    """The bridge's own, which notes its changes."""

    def __init__(self, stage: "Stage", *, has_database: bool) -> None:
        super().__init__(over_http=not has_database, has_seat=True, clock=lambda: stage.now)
        self._stage = stage

    def use_http(self) -> None:
        super().use_http()
        self._stage.changed.append("http")

    def use_database(self) -> None:
        super().use_database()
        self._stage.changed.append("database")


class Stage:
    """Two paths, a seat and a clock."""

    def __init__(self, *, has_database: bool = True) -> None:
        self.now = 0.0
        self.database, self.http = Fate.DELIVERS, Fate.DELIVERS
        self.delay_s = 0.05
        self.is_wanted = self.is_rolling_out = True
        self.last_sent_at = float("-inf")
        self.told: list[tuple[int, str]] = []
        self.changed: list[str] = []
        self.way = RecordedWay(self, has_database=has_database)
        self.posts = 0
        self.probes = {"database": 0, "http": 0}
        self.under_way: list[tuple[float, str]] = []
        self.seat = Seat()
        self.watch = Watch(
            seats=self.seat,
            name="test",
            way=self.way,
            send_to_database=(lambda name: self._send("database", self.database, name)) if has_database else None,
            send_over_http=lambda name: self._send("http", self.http, name),
            pace=Pace(
                is_rolling_out=lambda: self.is_rolling_out,
                last_sent_at=lambda: self.last_sent_at,
                heard_until=lambda: self.way.heard_until,
                idle_s=IDLE_S,
                clock=lambda: self.now,
            ),
            is_wanted=lambda: self.is_wanted,
            tell=self._tell,
            clock=lambda: self.now,
        )
        self.seat.take("", self.watch._receive)

    @property
    def is_held(self) -> bool:
        try:
            self.way.check()
        except SinkNotReady as reason:
            return str(reason) == NOTHING_DELIVERED
        return False

    async def _tell(self, count: int, reason: str) -> None:
        self.told.append((count, reason))

    async def _send(self, path: str, fate: Fate, name: str) -> None:
        self.probes[path] += 1
        if fate is Fate.AWAY:
            raise SinkNotReady("away")
        if fate is Fate.REFUSES:
            raise SinkUnavailable("Supabase answered 500")
        self.posts += 1
        while (self.http if path == "http" else self.database) is Fate.HANGS:  # noqa: ASYNC110 - the stage's own clock
            await asyncio.sleep(0)
        self.posts -= 1
        if fate is Fate.DELIVERS:
            self.under_way.append((self.now + self.delay_s, name))

    async def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float:
        """Watch for so long, or until something is so; return how long it took."""
        began = self.now
        while self.now - began < seconds and not until():
            self.now += TICK_S
            arrived = [name for at, name in self.under_way if at <= self.now]
            self.under_way = [(at, name) for at, name in self.under_way if at > self.now]
            for name in arrived if self.seat.is_taken else ():
                self.seat.receive("probe", {"probe": name})
            await self.watch.run_once()
            await asyncio.sleep(0)
        return self.now - began

    def knows_outage(self) -> bool:
        return bool(self.told) and self.told[-1][0] >= OUTAGE

    def dies(self) -> None:
        """As a killed process: sockets are gone, and nobody answers."""
        self.seat.is_taken, self.http, self.database = False, Fate.REFUSES, Fate.DROPS

    def freezes(self) -> None:
        """As a stopped process: sockets stay, and nothing comes."""
        self.http, self.database = Fate.HANGS, Fate.DROPS


def staged(play: Callable[[Stage], Coroutine[None, None, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(play(Stage()))

    run.__doc__ = play.__doc__
    return run
