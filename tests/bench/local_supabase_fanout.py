"""Fan-out of the local endpoint: many joined sockets, a steady stream of messages, for a while. Not a timed test.

    python -m tests.bench.local_supabase_fanout --sockets 2000 --rooms 20 --rate 2000 --seconds 60

Every socket must receive every message of its room, in order. Prints one line of JSON: deliveries, losses, latencies
and the endpoint's memory before, during and after. `--rate` counts deliveries per second over all sockets.
"""

import argparse
import asyncio
import json
import os
import re
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from ops.local_supabase.launcher import LocalSupabase
from ops.machine.data_dir import PROCESSES

NUMBER = re.compile(rb'"n":(\d+),"at":(\d+\.\d+)')
JOIN_TIMEOUT_S = 60.0
DRAIN_S = 5.0


@dataclass(slots=True)
class Tally:
    """What all listeners saw."""

    joined: int = 0
    delivered: int = 0
    lost: int = 0
    closed: int = 0
    latencies_ms: list[float] = field(default_factory=list)


class Listener(asyncio.Protocol):
    """A websocket client that only joins, counts and measures: cheap enough to have thousands in one process."""

    def __init__(self, address: str, key: str, room: str, tally: Tally, sample: bool) -> None:
        self.address, self._key, self._room, self._tally, self._sample = address, key, room, tally, sample
        self._buffer = bytearray()
        self._open = False
        self.expected = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(
            f"GET /realtime/v1/websocket?apikey={self._key}&vsn=2.0.0 HTTP/1.1\r\nHost: {self.address}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def connection_lost(self, _error: Exception | None) -> None:
        self._tally.closed += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            assert self._buffer.startswith(b"HTTP/1.1 101"), bytes(self._buffer[:200])
            del self._buffer[: end + 4]
            self._open = True
            self.send(["1", "1", f"realtime:{self._room}", "phx_join", {"config": {}}])
        for content in self._frames():
            self._take(content)

    def send(self, frame: Any) -> None:
        """Send a masked text frame."""
        assert self.transport is not None
        data = json.dumps(frame).encode()
        size = len(data)
        head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 0xFE, size)
        self.transport.write(head + b"\0\0\0\0" + data)

    def _frames(self) -> Iterator[bytes]:
        buffer, start = self._buffer, 0
        while len(buffer) - start >= 2:
            size, head = buffer[start + 1] & 0x7F, 2
            if size == 126:
                if len(buffer) - start < 4:
                    break
                (size,), head = struct.unpack_from("!H", buffer, start + 2), 4
            if len(buffer) - start < head + size:
                break
            yield bytes(buffer[start + head : start + head + size])
            start += head + size
        del buffer[:start]

    def _take(self, content: bytes) -> None:
        found = NUMBER.search(content)
        if found is None:
            self._tally.joined += b"phx_reply" in content
            return
        number = int(found[1])
        self._tally.delivered += 1
        self._tally.lost += number - self.expected
        self.expected = number + 1
        if self._sample:
            self._tally.latencies_ms.append((time.time() - float(found[2])) * 1000)


async def _connect(listener: Listener) -> Listener:
    host, _, port = listener.address.rpartition(":")
    await asyncio.get_running_loop().create_connection(lambda: listener, host, int(port))
    return listener


async def measure(url: str, key: str, pid: int, options: argparse.Namespace) -> dict[str, Any]:
    """Join all sockets, send for a while, wait for the rest."""
    parts = urlsplit(url)
    tally = Tally()
    listeners = []
    for number in range(options.sockets):
        room = f"room-{number % options.rooms}"
        listeners.append(await _connect(Listener(parts.netloc, key, room, tally, number % 50 == 0)))
    async with asyncio.timeout(JOIN_TIMEOUT_S):
        while tally.joined < options.sockets:  # noqa: ASYNC110 - counted by thousands of protocols
            await asyncio.sleep(0.05)
    process = psutil.Process(pid)
    process.cpu_percent()
    memory_mb = [_memory_mb(process)]
    sent = await _send(listeners, parts, key, options, process, memory_mb)
    cpu = process.cpu_percent()
    await asyncio.sleep(DRAIN_S)
    memory_mb.append(_memory_mb(process))
    due = sum(sent[number % options.rooms] for number in range(options.sockets))
    for listener in listeners:
        if listener.transport is not None:
            listener.transport.abort()
    latencies = sorted(tally.latencies_ms)
    return {
        "sockets": options.sockets,
        "rooms": options.rooms,
        "seconds": options.seconds,
        "broadcasts": sum(sent),
        "due": due,
        "delivered": tally.delivered,
        "missing": due - tally.delivered,
        "out_of_order_or_lost": tally.lost,
        "closed_during_run": tally.closed,
        "deliveries_per_s": round(tally.delivered / options.seconds),
        "p50_ms": round(latencies[len(latencies) // 2], 2),
        "p99_ms": round(latencies[int(len(latencies) * 0.99)], 2),
        "endpoint_cpu_percent": cpu,
        "memory_mb": memory_mb,
    }


async def _send(
    listeners: list[Listener],
    parts: Any,
    key: str,
    options: argparse.Namespace,
    process: psutil.Process,
    memory_mb: list[float],
) -> list[int]:
    """Send through one more socket, so many messages that all listeners together get `rate` per second."""
    sent = [0] * options.rooms
    tally = Tally()
    senders = [
        await _connect(Listener(parts.netloc, key, f"room-{room}", tally, sample=False))
        for room in range(options.rooms)
    ]
    while tally.joined < options.rooms:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.05)
    per_s = options.rate / (options.sockets / options.rooms)
    started, number, next_sample = time.monotonic(), 0, 10.0
    while (elapsed := time.monotonic() - started) < options.seconds:
        if elapsed > next_sample:
            memory_mb.append(_memory_mb(process))
            next_sample += 10.0
            for listener in [*listeners, *senders]:
                listener.send([None, "hb", "phoenix", "heartbeat", {}])
        while number < elapsed * per_s:
            room = number % options.rooms
            payload = {"n": sent[room], "at": time.time(), "text": "x" * 200}
            body = {"type": "broadcast", "event": "e", "payload": payload}
            senders[room].send(["1", None, f"realtime:room-{room}", "broadcast", body])
            sent[room] += 1
            number += 1
        await asyncio.sleep(0.005)
    return sent


def _memory_mb(process: psutil.Process) -> float:
    return round(process.memory_info().rss / 1_000_000, 1)


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fanout-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=2000)
    parser.add_argument("--rooms", type=int, default=20)
    parser.add_argument("--rate", type=int, default=2000, help="deliveries per second, over all sockets")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with _directory() as directory, LocalSupabase(directory, durable=False) as running:
        pid = json.loads((directory / PROCESSES).read_text())["supabase"]["pid"]
        result = asyncio.run(measure(running.facts.api_url, running.facts.anon_key, pid, options))
    sys.stdout.write(json.dumps({"cores": os.cpu_count(), **result}) + "\n")


if __name__ == "__main__":
    main()
