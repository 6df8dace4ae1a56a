"""The probe: when a path is silent, when it is healthy again, and when nothing can be said."""

import asyncio
from typing import Any, Self, cast

import psycopg

from realtime_bridge.channels.connection import Receive
from realtime_bridge.parity.probe import HEALTHY_AFTER_S, INTERVAL_S, SILENT_AFTER_S, Probe
from realtime_bridge.relay import Pool


class Seat:
    """The bridge's own seat."""

    is_taken = True
    receive: Receive

    def take(self, _topic: str, receive: Receive) -> None:
        self.receive = receive

    def leave(self, topic: str) -> None: ...

    def is_joined(self, _topic: str) -> bool:
        return self.is_taken


class Database:
    """A pool and its connection in one: hands what is sent to the seat, unless told not to."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self.delivers = True
        self.is_away = False

    def connection(self) -> "Database":
        if self.is_away:
            raise psycopg.OperationalError("away")
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def execute(self, _query: str, values: dict[str, Any]) -> None:
        if self.delivers:
            self._seat.receive("probe", values["payload"].obj)


class Stage:
    def __init__(self) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.heard_until: float | None = None
        self.seat = Seat()
        self.database = Database(self.seat)
        self.probe = Probe(
            pool=cast(Pool, self.database),
            seats=self.seat,
            name="test",
            on_silent=self._silent,
            on_healthy=lambda: self.said.append("healthy"),
            clock=lambda: self.now,
        )
        self.seat.take("", self.probe._receive)

    def _silent(self, heard_until: float) -> None:
        self.said.append("silent")
        self.heard_until = heard_until

    def run(self, seconds: float) -> float:
        """Probe for so long; return when it said something new."""
        end, before = self.now + seconds, len(self.said)
        while self.now < end and len(self.said) == before:
            self.now += INTERVAL_S
            asyncio.run(self.probe.run_once())
        return self.now


def test_a_silent_path_is_known_within_five_seconds() -> None:
    """Six unanswered probes; what was sent since the last answer is named."""
    stage = Stage()
    stage.run(10)
    assert stage.said == []
    stage.database.delivers = False
    assert stage.run(10) <= 10 + 5
    assert stage.said == ["silent"]
    assert stage.heard_until == 10
    assert stage.probe.is_silent
    assert SILENT_AFTER_S < 5


def test_it_is_healthy_after_unbroken_answers_only() -> None:
    """A path that flaps stays given up until it has answered for HEALTHY_AFTER_S."""
    stage = Stage()
    stage.run(2)
    stage.database.delivers = False
    stage.run(10)
    for _ in range(4):
        stage.database.delivers = not stage.database.delivers
        stage.run(2)
    assert stage.said == ["silent"]
    stage.database.delivers = True
    began = stage.now
    stage.run(60)
    assert stage.said == ["silent", "healthy"]
    assert stage.now - began >= HEALTHY_AFTER_S


def test_without_a_seat_or_a_database_nothing_is_said() -> None:
    """Who does not listen cannot call others silent; a database that is away sends nothing to be heard."""
    stage = Stage()
    stage.run(2)
    stage.database.delivers = False
    stage.seat.is_taken = False
    stage.run(20)
    stage.seat.is_taken = True
    stage.database.is_away = True
    stage.run(20)
    assert stage.said == []
