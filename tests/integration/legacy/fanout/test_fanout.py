"""The fan-out by itself, over a real Redis."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from realtime_bridge.legacy.fanout.marks import Marks
from realtime_bridge.legacy.fanout.redis_stream import STREAM
from realtime_bridge.legacy.fanout.stream import RedisFanout
from realtime_bridge.legacy.frame import Emit
from realtime_bridge.legacy.socketio.rooms import Rooms
from tests.integration.legacy.redis_server import RedisServer


class Heard:
    """Stands where the rooms are."""

    def __init__(self) -> None:
        self.emits: list[Emit] = []
        self.gaps = 0
        self.marks = Marks()

    @property
    def seqs(self) -> list[int | None]:
        return [emit.seq for emit in self.emits]

    async def deliver(self, emit: Emit, *, skip_sid: str | None = None) -> None:  # noqa: ARG002
        self.emits.append(emit)

    async def note_gap(self) -> None:
        self.gaps += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstEmit:
    """What the first version of the bridge knows of a frame."""

    event: str
    data: dict[str, Any]
    rooms: tuple[str, ...]
    conversation_id: int
    seq: int | None = None


def read_as_first(fields: dict[bytes, bytes]) -> list[FirstEmit]:
    """Read an entry as the first version does, word for word: what this refuses, such a bridge skips unheard."""
    return [FirstEmit(**(item | {"rooms": tuple(item["rooms"])})) for item in json.loads(fields[b"emits"])]


FIRST_ITEM = {"event": "message", "data": {"seq": 1}, "rooms": ["conversation:1"], "conversation_id": 1, "seq": 1}


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="crossfade-") as directory:
        server = RedisServer(Path(directory))
        server.start()
        yield server
        server.kill()


def fanout(redis: RedisServer, heard: Heard) -> RedisFanout:
    return RedisFanout(cast(Rooms, heard), redis.url, heard.note_gap)


def emit(seq: int, members: tuple[str, ...] | None = None) -> Emit:
    return Emit(
        event="message", data={"seq": seq}, rooms=("conversation:1",), conversation_id=1, seq=seq, members=members
    )


def hear(redis: RedisServer, *entries: dict[str, str], until: Callable[[Heard], bool]) -> Heard:
    """Return what a reader makes of entries that somebody else wrote."""

    async def scenario() -> Heard:
        heard = Heard()
        reader = fanout(redis, heard)
        await reader.start()
        with redis.client() as other:
            for fields in entries:
                other.xadd(STREAM, cast(Any, fields))
        async with asyncio.timeout(5):
            while not until(heard):  # noqa: ASYNC110 - the fan-out has nothing to wait on, and should not for a test
                await asyncio.sleep(0.01)
        await reader.stop()
        return heard

    return asyncio.run(scenario())


def entry(publisher: str, batch: int, **changes: object) -> dict[str, str]:
    """Return an entry as the first version writes it, with some of its one item changed."""
    return {"publisher": publisher, "emits": json.dumps([FIRST_ITEM | changes]), "batch": str(batch)}


@pytest.mark.parametrize("turns", range(12))
def test_it_stops_whenever_it_is_asked(redis: RedisServer, turns: int) -> None:
    """Stopping ends the reader at whichever point of its work the request finds it."""

    async def scenario() -> None:
        subject = fanout(redis, Heard())
        await subject.start()
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.wait_for(subject.stop(), 5)

    asyncio.run(scenario())


def test_new_reader_hears_what_comes_after_it_is_ready(redis: RedisServer) -> None:
    """A bridge that starts hears nothing of old, and everything from the moment it accepts sockets."""

    async def scenario() -> tuple[list[int | None], list[int | None]]:
        near, far = Heard(), Heard()
        publisher, reader = fanout(redis, near), fanout(redis, far)
        await publisher.start()
        await publisher.publish([emit(1)])
        await reader.start()
        assert reader.is_ready
        await publisher.publish([emit(seq) for seq in range(2, 10)])
        async with asyncio.timeout(5):
            while len(far.seqs) < 8:  # noqa: ASYNC110 - the fan-out has nothing to wait on, and should not for a test
                await asyncio.sleep(0.01)
        await publisher.stop()
        await reader.stop()
        assert (near.gaps, far.gaps) == (0, 0)
        return near.seqs, far.seqs

    near, far = asyncio.run(scenario())
    assert (near, far) == (list(range(1, 10)), list(range(2, 10)))


def test_members_reach_the_other_bridge(redis: RedisServer) -> None:
    """Who takes part arrives with each frame: known, known to be nobody, and not known are three things."""

    async def scenario() -> Heard:
        far = Heard()
        publisher, reader = fanout(redis, Heard()), fanout(redis, far)
        await reader.start()
        await publisher.publish([emit(1, ("a", "b")), emit(2, ()), emit(3)])
        async with asyncio.timeout(5):
            while len(far.emits) < 3:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        await publisher.stop()
        await reader.stop()
        return far

    far = asyncio.run(scenario())
    assert far.emits == [emit(1, ("a", "b")), emit(2, ()), emit(3)]
    assert far.gaps == 0


def test_first_version_reads_what_is_written(redis: RedisServer) -> None:
    """A bridge of the first version understands every frame, stored or not, that this one puts on the stream."""

    async def scenario() -> None:
        publisher = fanout(redis, Heard())
        await publisher.publish([emit(1, ("a",)), emit(2)])
        await publisher.publish_unstored(emit(3), skip_sid="nobody")
        await publisher.stop()

    asyncio.run(scenario())
    with redis.client() as client:
        unstored, batch = [fields for _, fields in cast(Any, client.xrevrange(STREAM, count=2))]
    assert [(emit.seq, emit.rooms) for emit in read_as_first(batch)] == [
        (1, ("conversation:1",)),
        (2, ("conversation:1",)),
    ]
    assert [emit.seq for emit in read_as_first(unstored)] == [3]
    assert (int(batch[b"batch"]), b"batch" in unstored) == (1, False)


def test_frames_of_the_first_version_are_delivered(redis: RedisServer) -> None:
    """What a bridge of the first version writes is delivered, its members not known; nobody is dropped for it."""
    heard = hear(redis, entry("first", 1), entry("first", 2, seq=2), until=lambda heard: len(heard.emits) == 2)
    assert [(emit.seq, emit.members) for emit in heard.emits] == [(1, None), (2, None)]
    assert heard.gaps == 0


def test_unknown_key_is_read_past(redis: RedisServer) -> None:
    """An item that says more than this version knows is delivered all the same."""
    heard = hear(redis, entry("later", 1, urgent=True), until=lambda heard: bool(heard.emits))
    assert heard.emits == [emit(1)]


@pytest.mark.parametrize(
    "unreadable",
    [
        entry("later", 4, rooms=None),
        entry("later", 4) | {"emits": "no json"},
        entry("later", 4) | {"members": "[]"},
        entry("later", 4) | {"members": "[[7]]"},
        {"publisher": "later", "batch": "4", "frames": "[]"},
    ],
    ids=["item", "emits", "fewer members", "members", "no emits"],
)
def test_unreadable_batch_is_a_gap(redis: RedisServer, unreadable: dict[str, str]) -> None:
    """A batch that cannot be read drops the sockets, once, the first of its publisher too; the next one is read."""
    heard = hear(redis, unreadable, entry("later", 5, seq=5), until=lambda heard: bool(heard.emits))
    assert (heard.gaps, heard.seqs) == (1, [5])


def test_unreadable_frame_that_was_not_stored_is_no_gap(redis: RedisServer) -> None:
    """Typing that cannot be read is lost alone: nothing of the log is missing."""
    unstored = {"publisher": "later", "emits": "no json"}
    heard = hear(redis, unstored, entry("later", 1), until=lambda heard: bool(heard.emits))
    assert (heard.gaps, heard.seqs) == (0, [1])
