"""Who may stay how long at the bridge's own server: real sockets, and a clock that the tests move."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from realtime_bridge.network.door import PATIENCE_S, Door, prove
from realtime_bridge.network.web_server import WebServer
from tests.waiting import eventually

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
PROVE = b"GET /prove HTTP/1.1\r\nHost: x\r\n\r\n"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """Answer `/` at once; `/prove` proves itself, says whether it may stay, and never ends."""
    if scope["path"] == "/prove":
        body, is_whole = str(prove(scope)).encode(), False
    else:
        body, is_whole = b"answered", True
    headers = [(b"content-length", b"%d" % (len(body) + (not is_whole)))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": not is_whole})
    if not is_whole:
        await asyncio.Event().wait()


class Guests:
    def __init__(self, port: int) -> None:
        self._port = port
        self._open: list[asyncio.StreamWriter] = []

    async def enter(self, says: bytes = b"", answer: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._open.append(writer)
        await self.ask((reader, writer), says, answer)
        return reader, writer

    @staticmethod
    async def ask(guest: tuple[asyncio.StreamReader, asyncio.StreamWriter], says: bytes, answer: bytes) -> None:
        guest[1].write(says)
        if answer:
            async with asyncio.timeout(10):
                assert await guest[0].readuntil(answer)

    def close(self) -> None:
        for writer in self._open:
            writer.close()


async def is_ended(guest: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bool:
    try:
        async with asyncio.timeout(10):
            return await guest[0].read() == b""
    except ConnectionResetError:
        return True


@contextlib.asynccontextmanager
async def serving(door: Door) -> AsyncIterator[Guests]:
    server = WebServer(app, door, host="127.0.0.1", port=0)
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started, "the server")
    guests = Guests(server.servers[0].sockets[0].getsockname()[1])
    try:
        yield guests
    finally:
        guests.close()
        server.should_exit = server.force_exit = True
        for one in list(server.server_state.tasks):
            one.cancel()
        await task


@pytest.mark.parametrize("says", [b"", b"GET / HTTP/1.1\r\nX-Part: ", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n"])
def test_a_stranger_has_one_deadline(says: bytes) -> None:
    """Silence and half a head end alike; who was answered has its time anew, and who is known has no end."""

    async def run() -> None:
        clock = Clock()
        door = Door(100, clock=clock)
        async with serving(door) as guests:
            silent, asks = await guests.enter(says), await guests.enter(ASK, b"answered")
            known = await guests.enter(PROVE, b"True")
            clock.now = PATIENCE_S - 1
            assert door.run_once() == 0
            await guests.ask(asks, ASK, b"answered")
            clock.now = PATIENCE_S
            assert door.run_once() == 1
            assert await is_ended(silent)
            await guests.ask(asks, ASK, b"answered")
            clock.now = 100 * PATIENCE_S
            assert door.run_once() == 1
            assert await is_ended(asks)
            assert not known[0].at_eof()

    asyncio.run(run())


def test_the_longest_silent_makes_room() -> None:
    """Of sixteen places; who is known stays, and is at most fifteen."""

    async def run() -> None:
        clock = Clock()
        async with serving(Door(16, clock=clock)) as guests:
            first = await guests.enter()
            known = [await guests.enter(PROVE, b"True") for _ in range(14)]
            clock.now = 1
            last = await guests.enter(ASK, b"answered")
            newcomer = await guests.enter(ASK, b"answered")
            assert await is_ended(first)
            await guests.ask(newcomer, PROVE, b"True")
            await guests.ask(last, PROVE, b"False")
            assert not any(one[0].at_eof() for one in known)

    asyncio.run(run())
