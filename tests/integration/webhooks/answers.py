"""A server whose answers are written byte by byte, and one attempt at it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

from realtime_bridge.webhooks.call.attempt import Attempt, Caller
from tests.integration.webhooks.conftest import LOOPBACK
from tests.taken_deliveries import delivery, endpoint

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TIMEOUT_S = 1.0


def says(*parts: bytes, gap_s: float = 0.0, then_reset: bool = False) -> Serve:
    """Read the request's head, then write `parts`, with a pause before each but the first, and close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for number, part in enumerate(parts):
            if number:
                await asyncio.sleep(gap_s)
            writer.write(part)
            await writer.drain()
        if then_reset:
            writer.transport.abort()

    return serve


async def hangs(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


def repeats(part: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while True:
            writer.write(part * 1_000)
            await writer.drain()

    return serve


@contextlib.asynccontextmanager
async def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def attempt_at(serve: Serve, *, scheme: str = "http", tls: ssl.SSLContext | None = None) -> Attempt:
    async def scenario() -> Attempt:
        async with serving(serve, tls) as port:
            caller = Caller(LOOPBACK, connections=10, timeout_s=TIMEOUT_S)
            try:
                return await caller.attempt(delivery(), endpoint(f"{scheme}://127.0.0.1:{port}/"))
            finally:
                await caller.close()

    return asyncio.run(scenario())


EMPTY = b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
