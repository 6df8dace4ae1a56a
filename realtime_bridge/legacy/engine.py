"""Engine.IO with a bounded queue for each socket. The library's own queue grows until memory ends."""

import asyncio
import contextlib
from typing import Any

import engineio
from engineio.exceptions import SocketIsClosedError
from engineio.packet import Packet

DRAIN_POLL_S = 0.01  # the library's queue has no "half empty" signal
MAX_QUEUED_PACKETS = 2_000  # four catch-ups of 500; a reader that far behind is better off reconnecting


class OutgoingQueue(asyncio.Queue[Any]):
    """Drops what the library itself queues (NOOP, PING) once a full queue's socket is beyond hope; never blocks."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    async def put(self, item: Any) -> None:
        if item is None or self.qsize() <= self.limit:
            self.put_nowait(item)

    def discard_all(self) -> None:
        while not self.empty():
            self.get_nowait()
            self.task_done()


class BoundedEngine(engineio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """An Engine.IO server that cuts off a reader who does not read."""

    def __init__(self, *, max_queued: int = MAX_QUEUED_PACKETS, **options: Any) -> None:
        super().__init__(**options)
        self.max_queued = max_queued
        self.cut_off = 0

    def create_queue(self, *_: Any, **__: Any) -> OutgoingQueue:
        return OutgoingQueue(self.max_queued)

    async def send_packet(self, sid: str, pkt: Packet) -> None:
        """Queue a packet; a socket whose queue is full is closed instead, and reconnects if it still lives."""
        socket = self.sockets.get(sid)
        if socket is None or socket.closed or socket.closing:
            return
        if socket.queue.qsize() >= self.max_queued:
            self.cut_off += 1
            await self.drop(sid, discard=True)
            return
        with contextlib.suppress(SocketIsClosedError):
            await socket.send(pkt)

    async def drop(self, sid: str, *, discard: bool = False) -> None:
        """End a connection so that its client reconnects; never waits for it to read.

        (`disconnect()` waits until the queue is read, for ever if need be, and a Socket.IO DISCONNECT tells clients to
        stay away.) With `discard`, what is queued is forgotten.
        """
        socket = self.sockets.get(sid)
        if socket is None or socket.closed:
            return
        if discard:
            socket.queue.discard_all()
        with contextlib.suppress(SocketIsClosedError):
            await socket.close(wait=False, abort=discard, reason=self.reason.SERVER_DISCONNECT)
        socket.queue.put_nowait(None)  # ends the writer, which closes the websocket

    async def drop_all(self) -> None:
        """Drop every connection; clients reconnect by themselves, subscribe again and catch up."""
        for sid in list(self.sockets):
            await self.drop(sid)

    def forget_closed(self, sid: str) -> None:
        """Forget a session that was dropped, so that a late request for it is answered and not raised on."""
        socket = self.sockets.get(sid)
        if socket is not None and socket.closed and not socket.upgraded:
            del self.sockets[sid]

    def end_upgrade(self, sid: str) -> None:
        """After a websocket ended: one that never finished its upgrade leaves the session to polling.

        (The library forgets to, when the probe is cut off, and then answers every poll with nothing for ever.)
        """
        socket = self.sockets.get(sid)
        if socket is not None and not socket.upgraded:
            socket.upgrading = False

    async def wait_for_room(self, sid: str, timeout_s: float) -> bool:
        """Wait until the socket's queue is half empty; False when it is not within the time, or the socket is gone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while (socket := self.sockets.get(sid)) and not socket.closed:
                    if socket.queue.qsize() <= self.max_queued // 2:
                        return True
                    await asyncio.sleep(DRAIN_POLL_S)
        return False
