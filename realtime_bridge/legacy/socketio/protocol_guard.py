"""Server of the Socket.IO library, closing sockets that break the protocol. Built by `socketio_server`."""

import asyncio
from typing import Any

import socketio
import structlog
from socketio import packet

from realtime_bridge.legacy.socketio.engine import BoundedEngine
from realtime_bridge.legacy.socketio.packets import BadFrame, check_event

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 20.0  # an Engine.IO session without a token's Socket.IO connection is closed after this


class GuardedSocketServer(socketio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """The library's server, closing a socket that breaks the protocol instead of raising."""

    connect_timeout_s = CONNECT_TIMEOUT_S
    eio: BoundedEngine

    def _engineio_server_class(self) -> type[BoundedEngine]:
        return BoundedEngine

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        self.close_unless_connected(eio_sid)

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        try:
            self._check(eio_sid, data)
            await super()._handle_eio_message(eio_sid, data)
        except BadFrame as error:
            log.info("legacy socket closed for a bad frame", reason=str(error))
            await self.eio.drop(eio_sid)
        except Exception as error:  # noqa: BLE001 - the library would log a traceback for each and carry on
            log.error("legacy socket closed, its handler broke", error=f"{type(error).__name__}: {error}"[:500])  # noqa: TRY400
            await self.eio.drop(eio_sid)

    def _check(self, eio_sid: str, data: Any) -> None:
        """Raise BadFrame unless the library can handle this packet; it parses once more, from at most 64 KiB."""
        try:
            parsed = self.packet_class(encoded_packet=data)
        except Exception as error:  # noqa: BLE001 - whatever the parser breaks on, the frame is to blame
            raise BadFrame(f"not a Socket.IO packet: {type(error).__name__}") from None
        if parsed.packet_type == packet.CONNECT:
            return
        if self.manager.sid_from_eio_sid(eio_sid, parsed.namespace or "/") is None:
            raise BadFrame("connect first")
        if parsed.packet_type == packet.EVENT:
            check_event(parsed.data)
        elif parsed.packet_type != packet.DISCONNECT:
            raise BadFrame("nothing was asked, so there is nothing to acknowledge")

    def close_unless_connected(self, eio_sid: str) -> None:
        """Give a session time to present a token."""
        asyncio.get_running_loop().call_later(self.connect_timeout_s, self._check_connected, eio_sid)

    def _check_connected(self, eio_sid: str) -> None:
        if eio_sid in self.eio.sockets and self.manager.sid_from_eio_sid(eio_sid, "/") is None:
            self.start_background_task(self.eio.drop, eio_sid)
