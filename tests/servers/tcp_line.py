"""A TCP line to a local server that can be cut: what goes over it ends, and nobody is let in until it is mended."""

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

START_TIMEOUT_S = 10.0


class TcpLine:
    """Runs in a thread of its own between `with` and its end; while it is cut, who connects is hung up on."""

    def __init__(self, port: int) -> None:
        self.url = ""
        self._port = port
        self._is_cut = False
        self._open: set[asyncio.StreamWriter] = set()
        self._started = threading.Event()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._cut)

    def mend(self) -> None:
        self._is_cut = False

    def _cut(self) -> None:
        self._is_cut = True
        for writer in self._open:
            writer.transport.abort()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(START_TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(START_TIMEOUT_S)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._started.set()
        await self._stopping.wait()
        server.close()
        self._cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            if not self._is_cut:
                up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
                ends = {writer, up_writer}
                self._open |= ends
                await asyncio.gather(_carry(reader, up_writer), _carry(up_reader, writer))
                self._open -= ends
        writer.transport.abort()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Carry bytes one way until either end is gone, then end the other."""
    with contextlib.suppress(OSError):
        while chunk := await source.read(65_536):
            target.write(chunk)
            await target.drain()
    target.close()
