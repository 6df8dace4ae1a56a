"""The fallback transport: which path is taken, and what is sent again when the database path was silent."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, cast
from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from realtime_bridge.sinks.base import EventRefused, SinkNotReady, SinkUnavailable
from realtime_bridge.transports.base import Broadcast
from realtime_bridge.transports.fallback import SETTLE_S, FallbackTransport
from realtime_bridge.transports.sent import KEEP_BYTES, KEEP_S, SentLately

CONNECTION = cast(AsyncConnection[Any], object())


class Path:
    """Keeps what it was given, or fails as told."""

    is_held = False
    must_send_again = False

    def __init__(self, *, transactional: bool, max_batch: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.transactional = transactional
        self.max_batch = max_batch
        self.batches: list[list[int]] = []
        self.sent = SentLately(clock=clock)
        self.failure: Exception | None = None
        self.refuses: int | None = None
        self.named: dict[int, str] | None = None

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None) -> None:
        assert (connection is not None) == self.transactional
        if self.failure:
            raise self.failure
        if self.refuses in [broadcast.payload["n"] for broadcast in broadcasts]:
            raise EventRefused("one of them", self.named)
        self.sent.note(broadcasts)
        self.batches.append([broadcast.payload["n"] for broadcast in broadcasts])

    def heard_until(self, at: float) -> None:
        self.sent.heard_until(at)

    async def look(self, _connection: AsyncConnection[Any]) -> bool:
        return True

    async def send_again(self, _connection: AsyncConnection[Any]) -> int:
        return 0

    async def close(self) -> None: ...

    @property
    def numbers(self) -> list[int]:
        return [number for batch in self.batches for number in batch]


class Stage:
    """A fallback over two paths, on a clock of its own."""

    def __init__(self) -> None:
        self.now = 100.0
        self.database = Path(transactional=True, max_batch=500, clock=lambda: self.now)
        self.http = Path(transactional=False, max_batch=3)
        self.transport = FallbackTransport(self.database, self.http, clock=lambda: self.now)

    def send(self, *numbers: int) -> None:
        batch = [Broadcast(topic="t", event="e", payload={"n": number}, id=uuid4()) for number in numbers]
        connection = CONNECTION if self.transport.transactional else None
        asyncio.run(self.transport.send(batch, connection))


def test_what_was_not_heard_is_sent_again_before_what_is_new() -> None:
    """From well before the last probe that arrived on; in order, in batches that HTTP takes, and each once."""
    stage = Stage()
    for number in range(6):
        stage.now += 1
        stage.send(number)
    stage.transport.use_http(heard_until=103.5)
    assert stage.transport.waiting == 4
    stage.send(6, 7)
    assert stage.http.batches == [[2, 3, 4], [5], [6, 7]]
    stage.send(8)
    assert stage.http.numbers == [2, 3, 4, 5, 6, 7, 8]
    assert stage.database.numbers == list(range(6))


def test_a_failing_http_keeps_what_it_did_not_take() -> None:
    """The rest goes first when HTTP is back; nothing overtakes it."""
    stage = Stage()
    stage.send(1, 2)
    stage.transport.use_http(heard_until=0.0)
    stage.http.failure = SinkUnavailable("away")
    with pytest.raises(SinkUnavailable):
        stage.send(3)
    stage.http.failure = None
    stage.send(3)
    assert stage.http.numbers == [1, 2, 3]


def test_a_refused_repeat_does_not_block_what_is_new() -> None:
    """What HTTP will never take is given up: clients find it in the log."""
    stage = Stage()
    stage.send(1)
    stage.transport.use_http(heard_until=0.0)
    stage.http.failure = EventRefused("too large")
    asyncio.run(stage.transport.send_again())
    stage.http.failure = None
    stage.send(2)
    assert stage.http.numbers == [2]


def test_a_refused_repeat_takes_no_neighbour_with_it() -> None:
    """The one that is named, or the one that is found by halving, is given up; the others are sent, in order."""
    for named in ({1: "too large"}, None):
        stage = Stage()
        stage.http.refuses, stage.http.named = 2, named
        stage.send(1, 2, 3)
        stage.transport.use_http(heard_until=0.0)
        asyncio.run(stage.transport.send_again())
        assert stage.http.numbers == [1, 3]


def test_old_broadcasts_are_not_kept() -> None:
    """What is sent again is bounded in time."""
    stage = Stage()
    stage.send(1)
    stage.now += KEEP_S + 1
    stage.send(2)
    stage.transport.use_http(heard_until=0.0)
    assert stage.transport.waiting == 1


def test_a_page_prepared_for_the_other_path_is_tried_again() -> None:
    """A change between the relay's question and the send is no failure, and no network call in a transaction."""
    stage = Stage()
    with pytest.raises(SinkNotReady):
        asyncio.run(stage.transport.send([], None))
    stage.transport.use_http(heard_until=0.0)
    with pytest.raises(SinkNotReady):
        asyncio.run(stage.transport.send([], CONNECTION))


def test_probes_do_not_wait_for_what_is_sent_again() -> None:
    """They go out at once, whichever path is in use."""
    stage = Stage()
    probe = Broadcast(topic="t", event="probe", payload={"n": 7}, id=uuid4())
    stage.send(1)
    stage.transport.use_http(heard_until=0.0)
    asyncio.run(stage.transport.send_out_of_order([probe]))
    stage.send(2)
    assert stage.http.numbers == [7, 1, 2]


def test_going_back_waits_for_http_to_be_heard() -> None:
    """The database path is fast enough to overtake what HTTP has accepted: it starts a moment later."""
    stage = Stage()
    stage.transport.use_http(heard_until=0.0)
    stage.transport.use_database()
    with pytest.raises(SinkNotReady):
        stage.send(1)
    stage.now += SETTLE_S
    stage.send(1)
    assert stage.database.numbers == [1]


def test_what_is_kept_to_be_sent_again_is_bounded_in_bytes_and_in_time() -> None:
    """Of large payloads only the newest; and when nothing more is sent, nothing is held."""
    stage = Stage()
    large = [
        Broadcast(topic="t", event="e", payload={"n": number}, id=uuid4(), payload_bytes=KEEP_BYTES // 10)
        for number in range(30)
    ]
    asyncio.run(stage.transport.send(large, CONNECTION))
    stage.transport.use_http(0.0)
    assert stage.transport.waiting == 10
    stage = Stage()
    stage.send(1)
    stage.now += KEEP_S + 1
    assert stage.database.sent.count == 0
    stage.transport.use_http(0.0)
    assert stage.transport.waiting == 0
