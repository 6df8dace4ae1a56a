"""A receiver process that answers 204 at once: run as `python -m tests.servers.instant_receiver DIR`.

It speaks just enough HTTP/1.1 to cost nothing beside what is measured: a POST with Content-Length over a kept
connection. For each request it appends `path id` to DIR/received (a line a request); DIR/port holds its port. Paths
beneath /hang are never answered; `-` for DIR remembers nothing.
"""

import asyncio
import contextlib
import re
import sys
from pathlib import Path
from typing import BinaryIO

ANSWER = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
ID = re.compile(rb"\r\nwebhook-id: ([^\r]+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    def __init__(self, log: BinaryIO | None) -> None:
        self._log = log
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = LENGTH.search(head)
            total = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < total:
                return
            self._buffer = self._buffer[total:]
            self._request(head)

    def _request(self, head: bytes) -> None:
        path = head.split(b" ", 2)[1]
        if path.startswith(b"/hang"):
            return
        if self._log:
            name = ID.search(head)
            self._log.write(b"%s %s\n" % (path, name[1] if name else b"-"))
        assert self._transport is not None
        self._transport.write(ANSWER)


async def main(directory: str) -> None:
    log = None if directory == "-" else (Path(directory) / "received").open("ab", buffering=1 << 16)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(log), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if directory == "-":
        print(port, flush=True)  # noqa: T201
    else:
        (Path(directory) / "port").write_text(str(port))
    while True:
        await asyncio.sleep(0.2)
        if log:
            log.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1]))
