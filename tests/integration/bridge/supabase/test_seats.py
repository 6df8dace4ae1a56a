"""The bridge's seats in Supabase's channels: sharded, and kept through what the official client does not survive."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.machine.ports import choose_ports
from realtime_bridge.shared.tokens import mint_role_key
from realtime_bridge.supabase.seats import Seats
from tests.waiting import eventually, wait_for

SECRET = "a-secret-of-the-tests-that-is-long-enough"
START_TIMEOUT_S = 40.0
HEARD_TIMEOUT_S = 20.0


class Endpoint:
    """A local Supabase endpoint that can be killed and started again on the same port."""

    def __init__(self, admin_url: str, directory: Path) -> None:
        self.port = choose_ports({"supabase": 0})["supabase"]
        self.url = f"http://127.0.0.1:{self.port}"
        self._admin_url = admin_url
        self._ready = directory / "ready.json"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._ready.unlink(missing_ok=True)
        options = ("--port", str(self.port), "--database-url", self._admin_url, "--ready-file", str(self._ready))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ops.local_supabase", *options],
            env={**os.environ, "SUPABASE_JWT_SECRET": SECRET},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda: self._ready.exists() and json.loads(self._ready.read_text()), "the endpoint", START_TIMEOUT_S)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        assert self._process
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None


@pytest.fixture
def endpoint(admin_url: str, tmp_path: Path) -> Iterator[Endpoint]:
    endpoint = Endpoint(admin_url, tmp_path)
    endpoint.start()
    yield endpoint
    endpoint.kill()


def key() -> str:
    return mint_role_key(SECRET, "service_role", 600)


@contextlib.asynccontextmanager
async def opened(endpoint: Endpoint, **options: Any) -> AsyncIterator[Seats]:
    seats = Seats(supabase_url=endpoint.url, secret_key=key(), token=key, **options)
    running = asyncio.create_task(seats.run())
    try:
        yield seats
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def send_until_heard(sender: Seats, topic: str, heard: list[Any]) -> None:
    before = len(heard)
    deadline = time.monotonic() + HEARD_TIMEOUT_S
    while len(heard) == before:
        assert time.monotonic() < deadline, "nothing is heard"
        await sender.send(topic, "presence.typing", {"isTyping": True})
        await asyncio.sleep(0.05)


def test_seats_are_sharded_and_outlive_the_endpoint(endpoint: Endpoint) -> None:
    """Seven channels of three a connection; the endpoint is killed, comes back, and all are joined and heard again."""
    topics = [f"presence:{number}" for number in range(1, 8)]

    async def check() -> None:
        heard: list[Any] = []
        async with opened(endpoint, per_connection=3) as seats, opened(endpoint) as sender:
            for topic in topics:
                seats.take(topic, lambda event, payload: heard.append((event, payload)))
            sender.take(topics[-1], lambda _event, _payload: None)
            await eventually(lambda: all(map(seats.is_joined, topics)), "every seat", 30)
            assert (seats.count, seats.connection_count) == (7, 3)
            await send_until_heard(sender, topics[-1], heard)
            endpoint.kill()
            await eventually(lambda: not any(map(seats.is_joined, topics)), "the loss to be noticed", 10)
            assert seats.connection_count == 0
            await asyncio.to_thread(endpoint.start)
            await eventually(lambda: all(map(seats.is_joined, topics)), "every seat again", 30)
            await send_until_heard(sender, topics[-1], heard)
            assert {event for event, _ in heard} == {"presence.typing"}
            for topic in topics[:6]:
                seats.leave(topic)
            await eventually(lambda: seats.connection_count == 1, "empty connections to close")
            assert seats.is_joined(topics[-1])

    asyncio.run(check())


def test_a_channel_that_the_server_closes_is_taken_again(endpoint: Endpoint) -> None:
    """The official client forgets a channel for ever on `phx_close`, stale or not; the seat comes back."""

    async def check() -> None:
        async with opened(endpoint) as seats:
            seats.take("presence:1", lambda _event, _payload: None)
            await eventually(lambda: seats.is_joined("presence:1"), "the seat", 30)
            seat = seats._of["presence:1", ""].seats["presence:1"]
            assert seat.channel is not None
            seat.channel.on_close()
            assert not seats.is_joined("presence:1")
            await eventually(lambda: seats.is_joined("presence:1"), "the seat again")

    asyncio.run(check())


def test_an_unreachable_endpoint_breaks_nothing(endpoint: Endpoint) -> None:
    """While nobody answers, nothing is joined, a send says so, and others' seats are not disturbed."""
    endpoint.kill()

    async def check() -> None:
        async with opened(endpoint) as seats:
            seats.take("presence:1", lambda _event, _payload: None)
            await eventually(lambda: seats._connections[0]._retries > 0, "a try that failed")
            assert not await seats.send("presence:1", "presence.typing", {})
            assert not await seats.send("presence:2", "presence.typing", {})
            await asyncio.to_thread(endpoint.start)
            await eventually(lambda: seats.is_joined("presence:1"), "the seat", 30)

    asyncio.run(check())


def test_a_server_that_stands_still_is_noticed_and_outlived(endpoint: Endpoint) -> None:
    """Its sockets stay open and nothing comes: the seats are known to be lost, and are back when it goes on."""

    async def check() -> None:
        heard: list[Any] = []
        async with opened(endpoint) as seats, opened(endpoint) as sender:
            for one in (seats, sender):
                one.take("presence:1", lambda event, payload: heard.append((event, payload)))
            await eventually(lambda: seats.is_joined("presence:1") and sender.is_joined("presence:1"), "the seats", 30)
            with endpoint.frozen():
                await eventually(lambda: not seats.is_joined("presence:1"), "the silence to be noticed", 15)
            await eventually(lambda: seats.is_joined("presence:1") and sender.is_joined("presence:1"), "both again", 30)
            await send_until_heard(sender, "presence:1", heard)

    asyncio.run(check())
