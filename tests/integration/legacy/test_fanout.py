"""The fan-out by itself, over a real Redis."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from realtime_bridge.legacy.dialects import Emit
from realtime_bridge.legacy.fanout import RedisFanout
from realtime_bridge.legacy.rooms import Rooms
from tests.integration.legacy.redis_server import RedisServer


class Heard:
    """Stands where the rooms are."""

    def __init__(self) -> None:
        self.seqs: list[int | None] = []

    async def deliver(self, emit: Emit, *, skip_sid: str | None = None) -> None:  # noqa: ARG002
        self.seqs.append(emit.seq)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="crossfade-") as directory:
        server = RedisServer(Path(directory))
        server.start()
        yield server
        server.kill()


def fanout(redis: RedisServer, heard: Heard) -> RedisFanout:
    return RedisFanout(cast(Rooms, heard), redis.url, _no_gap)


async def _no_gap() -> None:
    raise AssertionError("a gap")


def emit(seq: int) -> Emit:
    return Emit(event="message", data={"seq": seq}, rooms=("conversation:1",), conversation_id=1, seq=seq)


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
        return near.seqs, far.seqs

    near, far = asyncio.run(scenario())
    assert (near, far) == (list(range(1, 10)), list(range(2, 10)))
