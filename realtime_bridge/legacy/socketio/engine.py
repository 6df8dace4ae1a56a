"""Engine.IO with a bounded queue for each socket. The library's own queue grows until memory ends."""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import engineio
from engineio.packet import CLOSE, Packet

POLL_PACKETS = 16  # python-engineio's clients end the connection at a longer answer to a poll
DRAIN_POLL_S = 0.01  # the library's queue has no "half empty" signal
MAX_QUEUED_PACKETS = 2_000  # four catch-ups of 500; a reader that far behind is better off reconnecting
MAX_QUEUED_BYTES = 2 * 1024 * 1024  # the same in frames of a kilobyte; a user's twenty sockets hold 40 MB at worst


class OutgoingQueue(asyncio.Queue[Any]):
    """Drops what the library itself queues (NOOP, PING) once a full queue's socket is beyond hope; never blocks.

    Its end is the end of the transport: a websocket is closed, a poll ends empty. (The library would send an Engine.IO
    CLOSE, after which python-socketio's clients stay away; the end of the transport alone brings every client back.)
    """

    def __init__(self, limit: int, limit_bytes: int) -> None:
        super().__init__()
        self.limit = limit
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self.is_over = False
        self.put_count = self.sent_count = 0
        """How many were ever queued, and how many of them have left this process (a poll: when the next one asks)."""
        self._taken_count = self._taken = 0

    async def put(self, item: Any) -> None:
        if item is None or item.packet_type == CLOSE:
            self.end()
        elif not self.is_over and self.qsize() <= self.limit:
            self.put_nowait(item)

    async def get(self) -> Any:
        self._taken = 0
        self.sent_count = self._taken_count
        return await super().get()

    def get_nowait(self) -> Any:
        """Take one more of those that go out together; there seem to be none after POLL_PACKETS."""
        if self._taken >= POLL_PACKETS:
            raise asyncio.QueueEmpty
        item = super().get_nowait()
        self._taken += 1
        return item

    def end(self, *, discard: bool = False, last: Packet | None = None) -> None:
        """Let the reader have what is queued, or only `last`, and then the end of its transport."""
        while discard and not self.empty():
            super().get_nowait()
            self.task_done()
        if last:
            self.put_nowait(last)
        self.is_over = True
        self.put_nowait(None)

    def is_behind(self, count: int) -> bool:
        return self.sent_count < count and not self.is_over

    def fills(self, part: float) -> bool:
        """Whether at least this part of the queue is taken, by number or by size."""
        return self.qsize() >= self.limit * part or self.held_bytes >= self.limit_bytes * part

    def _put(self, item: Any) -> None:
        super()._put(item)
        self.put_count += 1
        self.held_bytes += _size(item)

    def _get(self) -> Any:
        item = super()._get()
        self._taken_count += 1
        self.held_bytes -= _size(item)
        return item


def _size(item: Packet | None) -> int:
    """Return how much of a frame waits; live frames are shared, and counted for each socket all the same."""
    return len(item.data) if item is not None and isinstance(item.data, str | bytes) else 0


def _silence(_: str) -> None: ...


class BoundedEngine(engineio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """An Engine.IO server that cuts off a reader who does not read."""

    def __init__(
        self,
        *,
        origins: Sequence[str] = (),
        max_queued: int = MAX_QUEUED_PACKETS,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._origins = origins
        self.max_queued = max_queued
        self.max_queued_bytes = max_queued_bytes
        self.cut_off = 0
        self.last_word: Callable[[str], Packet | None] = _silence
        """What a socket is told that is cut off, and so misses something."""

    def create_queue(self, *_: Any, **__: Any) -> OutgoingQueue:
        return OutgoingQueue(self.max_queued, self.max_queued_bytes)

    def _cors_allowed_origins(self, environ: dict[str, Any]) -> list[str]:
        """Add those of the operator's list to the server's own, which python-socketio's client always says it is."""
        return [*super()._cors_allowed_origins(environ), *self._origins]

    async def send_packet(self, sid: str, pkt: Packet) -> None:
        """Queue a packet; a socket whose queue is full is closed instead, and reconnects if it still lives.

        Neither waits nor raises: what is sent to many is sent to all of them.
        """
        socket = self.sockets.get(sid)
        if socket is None or socket.closed or socket.closing or socket.queue.is_over:
            return
        if socket.queue.fills(1.0):
            self.cut_off += 1
            self.cut(sid)
        else:
            socket.queue.put_nowait(pkt)

    def cut(self, sid: str) -> None:
        """End a connection whose client is too slow, from where nothing may wait: what is queued is forgotten."""
        socket = self.sockets.get(sid)
        if socket is not None and not socket.queue.is_over:
            socket.queue.end(discard=True, last=self.last_word(sid))
            self.start_background_task(self.drop, sid)

    async def drop(self, sid: str, *, discard: bool = False) -> None:
        """End a connection so that its client reconnects; never waits for it to read.

        (`disconnect()` waits until the queue is read, for ever if need be, and a Socket.IO DISCONNECT tells clients to
        stay away.) With `discard`, what is queued is forgotten.
        """
        socket = self.sockets.get(sid)
        if socket is None or socket.closed:
            return
        socket.queue.end(discard=discard)
        await socket.close(wait=False, abort=True, reason=self.reason.SERVER_DISCONNECT)

    async def flush(self, timeout_s: float) -> None:
        """Wait until what is queued now has left this process, or its reader is slower than that."""
        left = [(socket.queue, socket.queue.put_count) for socket in self.sockets.values()]
        deadline = monotonic() + timeout_s
        while any(queue.is_behind(count) for queue, count in left) and monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(DRAIN_POLL_S)

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
        deadline = monotonic() + timeout_s
        while (socket := self.sockets.get(sid)) and not socket.closed and monotonic() < deadline:
            if not socket.queue.fills(0.5):
                return True
            await asyncio.sleep(DRAIN_POLL_S)
        return False
