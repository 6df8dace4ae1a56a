"""Web server for an ASGI application inside the bridge's event loop. Called by `__main__`."""

import contextlib
import os
import socket
from collections.abc import Generator
from functools import partial
from typing import Any

import uvicorn

from realtime_bridge.network.door import Door, Guest, Websocket

CLOSE_TIMEOUT_S = 5  # clients reconnect to another bridge; those that do not answer are dropped
FRAME_BYTES = 1_048_576  # above any frame a dialect allows: each dialect refuses larger ones with its own error
BACKLOG = 1_024  # who comes in a crowd waits in the kernel
ACCEPTED_AT_ONCE = 64  # in a turn of the loop; their places are counted in the turn after the next


class WebServer(uvicorn.Server):
    """uvicorn, with signals left to the process that embeds it."""

    def __init__(self, application: Any, door: Door, *, host: str, port: int, fd: int | None = None) -> None:
        """`fd` is of a socket that listens there already."""
        super().__init__(
            uvicorn.Config(
                application,
                host=host,
                port=port,
                log_config=None,
                log_level="error",  # it warns of whatever a stranger says wrong, once for each
                access_log=False,
                lifespan="off",
                http=partial(Guest, door=door),  # type: ignore[arg-type]  # it is called, and nothing else
                ws=Websocket,
                ws_max_size=FRAME_BYTES,
                backlog=ACCEPTED_AT_ONCE,
                timeout_graceful_shutdown=CLOSE_TIMEOUT_S,
                server_header=False,
            )
        )
        self._inherited = None if fd is None else [socket.socket(fileno=os.dup(fd))]

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await super().serve(sockets or self._inherited)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in (listener for server in self.servers for listener in server.sockets):
            with socket.fromfd(listener.fileno(), listener.family, listener.type) as same:
                same.listen(BACKLOG)
