"""What one client does, badly or slowly, is its own affair."""

import asyncio
import json
import random
import socket
import struct
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosed

from ops.local_supabase.endpoint import Endpoint
from ops.local_supabase.settings import Limits, Queues
from tests.integration.local_supabase.serving import (
    QUICK,
    broadcast,
    eventually,
    heartbeat,
    join,
    read_until,
    reply_to,
    serving,
    socket_to,
    token,
)

FUZZED_FRAMES = 200_000
FUZZERS = 8
EXCHANGES = 20  # of two well-behaved clients meanwhile, each within the bound of every wait
GROWTH_MB = 150  # room for allocator noise; a leak of one frame's objects each would be far more
EVENTS = ["phx_join", "phx_leave", "broadcast", "presence", "access_token", "heartbeat", "phx_close", "bogus", ""]
SCALARS: list[Any] = [None, True, 0, -1, 2**70, 1.5, "", "x", "é😀", "\u0000", [], {}, [[]], {"": None}]


def test_a_slow_reader_is_cut_off_and_nobody_else_waits(project_url: str) -> None:
    """Its queue is bounded; it is closed with 1008, and the others get every message at once."""

    async def play() -> None:
        queues = Queues(outbound_frames=500, outbound_bytes=4_000_000)
        async with serving(project_url, queues=queues) as endpoint:
            slow = raw_socket(endpoint)
            slow.sendall(masked(json.dumps(["1", "1", "realtime:crowd", "phx_join", {"config": {}}]).encode()))
            async with socket_to(endpoint) as sender, socket_to(endpoint) as quick:
                await join(quick, "crowd")
                await join(sender, "crowd", broadcast={"ack": True})
                await eventually(lambda: len(endpoint.project.context.hub.listeners(False, "crowd")) == 3)
                slowest = 0.0
                for number in range(1500):
                    began = time.monotonic()
                    await broadcast(sender, "crowd", {"n": number, "text": "x" * 10_000}, f"m{number}")
                    await reply_to(sender, f"m{number}")
                    heard = json.loads(await asyncio.wait_for(quick.recv(), 5))
                    assert heard[4]["payload"]["n"] == number
                    slowest = max(slowest, time.monotonic() - began)
                await eventually(lambda: len(endpoint.project.context.hub.listeners(False, "crowd")) == 2)
                assert slowest < 1.0
            assert await asyncio.to_thread(close_code, slow) in (1008, None)  # None: cut before it read that far
            slow.close()

    asyncio.run(play())


def test_a_reader_that_wakes_up_in_time_reads_why_it_was_cut_off(project_url: str) -> None:
    """What was on its way arrives, then the close frame with 1008."""

    async def play() -> None:
        queues = Queues(outbound_frames=50, outbound_bytes=200_000_000)
        async with serving(project_url, queues=queues) as endpoint:
            slow = raw_socket(endpoint)
            slow.sendall(masked(json.dumps(["1", "1", "realtime:crowd", "phx_join", {"config": {}}]).encode()))
            async with socket_to(endpoint) as sender:
                await join(sender, "crowd")
                await eventually(lambda: len(endpoint.project.context.hub.listeners(False, "crowd")) == 2)
                for number in range(400):
                    await broadcast(sender, "crowd", {"text": "x" * 100_000}, f"m{number}")
                    if len(endpoint.project.context.hub.listeners(False, "crowd")) < 2:
                        break
                assert await asyncio.to_thread(close_code, slow) == 1008
            slow.close()

    asyncio.run(play())


def test_a_flood_of_frames_slows_only_its_sender(project_url: str) -> None:
    """While one client sends as fast as it can, another's heartbeat is answered."""

    async def play() -> None:
        async with serving(project_url) as endpoint, socket_to(endpoint) as loud, socket_to(endpoint) as calm:
            await join(loud, "flood")
            flood = asyncio.create_task(flood_with(loud, 5000))
            for number in range(20):
                began = time.monotonic()
                await heartbeat(calm, f"h{number}")
                assert time.monotonic() - began < 1.0
            await flood

    asyncio.run(play())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_frame_crashes_the_endpoint_or_disturbs_a_neighbour(project_url: str) -> None:
    """200,000 broken and odd frames: no failure is logged, every socket still answers, memory stays."""

    async def play() -> None:
        limits = Limits(max_client_presence_events_per_window=10**9)
        timings = replace(QUICK, channel_error_backoff_s=0.0, idle_timeout_s=600)  # the neighbour only listens
        with capture_logs() as logs:
            async with serving(project_url, limits=limits, timings=timings) as endpoint:
                async with socket_to(endpoint) as witness, socket_to(endpoint) as neighbour:
                    await join(witness, "quiet", broadcast={"ack": True})
                    await join(neighbour, "quiet")
                    before = memory_mb()
                    talking = asyncio.create_task(talk(witness, neighbour))
                    fuzzers = [fuzz(endpoint, seed, FUZZED_FRAMES // FUZZERS, talking) for seed in range(FUZZERS)]
                    await asyncio.gather(talking, *fuzzers)
                    assert memory_mb() - before < GROWTH_MB
                await eventually(lambda: not endpoint.project.sockets)
        failures = [line for line in logs if line["log_level"] in ("error", "critical")]
        assert not failures, failures[:3]

    asyncio.run(play())


async def fuzz(endpoint: Endpoint, seed: int, frames: int, talking: "asyncio.Task[None]") -> None:
    """Send frames, and more while others talk; where the server ends the connection, as for broken UTF-8, come back."""
    chance = random.Random(seed)
    left = frames
    while left > 0 or not talking.done():
        async with socket_to(endpoint, vsn=chance.choice(["1.0.0", "2.0.0"])) as connection:
            drain = asyncio.create_task(swallow(connection))
            try:
                while left > 0 or not talking.done():
                    await connection.send(odd_frame(chance))
                    left -= 1
                    if left % 500 == 0:
                        await asyncio.sleep(0)
                await connection.ping()
            except ConnectionClosed:
                left -= 1
            finally:
                drain.cancel()
    async with socket_to(endpoint) as connection:
        await heartbeat(connection, "alive")


def odd_frame(chance: random.Random) -> str | bytes:
    """A frame that is nearly right, or not at all."""
    kind = chance.random()
    if kind < 0.15:
        return chance.randbytes(chance.randrange(60))
    if kind < 0.3:
        lengths = bytes(chance.choice([0, 1, 2, 10, 200, 255]) for _ in range(5))
        return bytes([chance.choice([0, 1, 2, 3, 3, 3, 4])]) + lengths + b"\x01" + chance.randbytes(40) + b"realtime:f"
    topic = chance.choice(["realtime:f", "realtime:g", "realtime:", "phoenix", *SCALARS])
    frame: Any = [odd(chance), odd(chance), topic, chance.choice([*EVENTS, *SCALARS]), odd_payload(chance)]
    if chance.random() < 0.5:
        frame = dict(zip(("join_ref", "ref", "topic", "event", "payload"), frame, strict=True))
    text = json.dumps(frame, ensure_ascii=chance.random() < 0.5)
    if chance.random() < 0.3:
        cut = chance.randrange(len(text))
        text = text[:cut] + chance.choice(['"', "\\ud800", "[", "}", "\u0000", "9" * 30, "", "NaN"]) + text[cut + 1 :]
    return text


def odd(chance: random.Random) -> Any:
    return chance.choice(["1", "2", *SCALARS])


def odd_payload(chance: random.Random) -> Any:
    config = {
        name: chance.choice([*SCALARS, {"enabled": True, "key": odd(chance)}, {"self": True, "ack": odd(chance)}])
        for name in chance.sample(["broadcast", "presence", "private", "postgres_changes", "x"], chance.randrange(4))
        if name != "private" or chance.random() < 0.02  # private joins ask the database: a few are enough
    }
    return chance.choice(
        [
            {"config": config, "access_token": odd(chance)},
            {"config": chance.choice(SCALARS)},
            {"type": "presence", "event": chance.choice(["track", "untrack", *SCALARS]), "payload": odd(chance)},
            {"type": "broadcast", "event": odd(chance), "payload": odd(chance)},
            {"access_token": chance.choice([token(), "a.b.c", *SCALARS])},
            *SCALARS,
        ]
    )


async def talk(witness: Any, neighbour: Any) -> None:
    """Two well-behaved clients go on; who is not answered in time, or not heard, raises TimeoutError."""
    for number in range(EXCHANGES):
        await broadcast(witness, "quiet", {"n": number}, f"q{number}")
        await reply_to(witness, f"q{number}")
        await read_until(neighbour, lambda frame: frame[3] == "broadcast")


async def swallow(connection: Any) -> None:
    try:
        async for _ in connection:
            pass
    except ConnectionClosed:
        return


async def flood_with(connection: Any, frames: int) -> None:
    drain = asyncio.create_task(swallow(connection))
    for number in range(frames):
        await broadcast(connection, "flood", {"text": "x" * 1000}, str(number))
    drain.cancel()


def raw_socket(endpoint: Endpoint) -> socket.socket:
    """A websocket of which nothing is read but the handshake."""
    parts = urlsplit(endpoint.url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(5)
    connection.connect((str(parts.hostname), parts.port))
    connection.sendall(
        f"GET /realtime/v1/websocket?apikey={token()}&vsn=2.0.0 HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    return connection


def masked(data: bytes) -> bytes:
    return struct.pack("!BB", 0x81, 0x80 | len(data)) + b"\0\0\0\0" + data


def close_code(connection: socket.socket) -> int | None:
    """Read all that is left; the code of the last frame when that is a close frame."""
    tail = b""
    try:
        while data := connection.recv(65536):
            tail = (tail + data)[-4:]
            if tail[:2] == b"\x88\x02":
                return int.from_bytes(tail[2:4], "big")
    except OSError:
        return None
    return None


def memory_mb() -> float:
    return float(psutil.Process().memory_info().rss) / 1_000_000
