"""A websocket protocol for uvicorn that gives up on a peer who does not read. Passed as uvicorn's `ws` by `__main__`.

Closing such a connection politely never ends: the goodbye waits behind what the peer does not read. ASGI has no word
for "cut the line", so it is done here.
"""

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

STALL_TIMEOUT_S = 10.0  # the kernel's and our write buffers are full all this time; half of a ping's patience


class StallGuard(WebSocketsSansIOProtocol):
    """Aborts the connection when nothing could be written for `stall_timeout_s`."""

    stall_timeout_s = STALL_TIMEOUT_S
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Have a frame count as sent when the system has taken it: what is left in this process dies with it."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self._stalled or self.loop.call_later(self.stall_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _forget(self) -> None:
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None
