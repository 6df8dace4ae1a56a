"""Serve an ASGI application inside the bridge's own event loop. Called by `__main__`."""

import contextlib
from collections.abc import Generator
from typing import Any

import uvicorn

from realtime_bridge.legacy.stalled import StallGuard

CLOSE_TIMEOUT_S = 5  # clients reconnect to another bridge; those that do not answer are dropped
FRAME_BYTES = 1_048_576  # above any frame a dialect allows: each dialect refuses larger ones with its own error
BACKLOG = 1_024


class WebServer(uvicorn.Server):
    """uvicorn, with signals left to the process that embeds it."""

    def __init__(self, application: Any, *, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                host=host,
                port=port,
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                ws=StallGuard,
                ws_max_size=FRAME_BYTES,
                backlog=BACKLOG,
                timeout_graceful_shutdown=CLOSE_TIMEOUT_S,
                server_header=False,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield
