"""A Postgres wire proxy that cuts a connection at a chosen statement, before or after the server has carried it out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import StrEnum
from urllib.parse import urlsplit

STATEMENT_ENDS = frozenset({b"Q", b"S"})  # simple query, and the Sync that ends an extended one


class Cut(StrEnum):
    BEFORE = "before the server has seen the statement"
    AFTER = "after the server has carried it out, before anybody was told"


class CuttingProxy:
    """Counts statements over all its connections; drops the connection that sends number `cut_at`, once."""

    def __init__(self, upstream_url: str) -> None:
        self._upstream = urlsplit(upstream_url)
        self.url = ""
        self.statements = 0
        self.cut_at: int | None = None
        self.cut = Cut.BEFORE
        self.has_cut = False
        self._tasks: set[asyncio.Task[None]] = set()

    def arm(self, cut_at: int, cut: Cut) -> None:
        self.statements, self.cut_at, self.cut, self.has_cut = 0, cut_at, cut, False

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator["CuttingProxy"]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        parts = self._upstream
        self.url = f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{port}{parts.path}?sslmode=disable"
        try:
            yield self
        finally:
            server.close()
            await asyncio.sleep(0)  # who was accepted just now has a task, too
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)  # what is closed goes in the loop's next round

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve_one(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            up_reader, up_writer = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
            mute = asyncio.Event()
            answers = asyncio.create_task(_answers(up_reader, writer, mute))
            try:
                await self._requests(reader, up_writer, mute)
            finally:
                up_writer.close()
                await asyncio.gather(answers, return_exceptions=True)

    async def _requests(
        self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter, mute: asyncio.Event
    ) -> None:
        length = await reader.readexactly(4)
        upstream.write(length + await reader.readexactly(int.from_bytes(length) - 4))
        while True:
            kind, length = await reader.readexactly(1), await reader.readexactly(4)
            message = kind + length + await reader.readexactly(int.from_bytes(length) - 4)
            cutting = kind in STATEMENT_ENDS and self._count()
            if cutting and self.cut is Cut.BEFORE:
                return
            if cutting:
                mute.set()
            upstream.write(message)
            await upstream.drain()
            if cutting:
                upstream.write(b"X\x00\x00\x00\x04")  # the server finishes the statement, then reads the goodbye
                await upstream.drain()
                return

    def _count(self) -> bool:
        self.statements += 1
        if self.statements != self.cut_at or self.has_cut:
            return False
        self.has_cut = True
        return True


async def _answers(upstream: asyncio.StreamReader, client: asyncio.StreamWriter, mute: asyncio.Event) -> None:
    """Pass answers on until told to be mute; then only wait for the server to finish."""
    while chunk := await upstream.read(65_536):
        if not mute.is_set():
            client.write(chunk)
            await client.drain()
    client.close()
