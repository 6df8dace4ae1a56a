"""Rooms of this process. Sends to sockets in order, and holds frames back for a socket that is still catching up."""

import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from engineio import packet as engine_packet
from socketio import packet
from socketio.async_manager import AsyncManager

from realtime_bridge import metrics
from realtime_bridge.legacy.dialect import Dialect
from realtime_bridge.legacy.fanout.marks import NOTHING, Marks
from realtime_bridge.legacy.frame import Emit

NAMESPACE = "/"
Expel = Callable[[int, int, Collection[str]], Awaitable[None]]
"""Takes a conversation, the seq of an event, and who takes part as of it."""
MAX_HELD = 2_000  # live frames during one catch-up; more and the socket is dropped, to begin again


@dataclass(slots=True)
class Hold:
    """A subscription ahead of its room: live frames wait behind its catch-up, and what it has is not sent again."""

    mark: int
    """The newest seq that the subscriber has."""
    waiting: list[Emit] | None = field(default_factory=list)
    """None once the catch-up is done; the hold then only knows the mark, until live frames have passed it."""

    def has_sent(self, emit: Emit) -> bool:
        return emit.seq is not None and emit.seq <= self.mark


async def _expel_nobody(_conversation_id: int, _seq: int, _members: Collection[str]) -> None: ...


class Rooms(AsyncManager):  # type: ignore[misc]  # the library has no types
    """The library's rooms; `deliver` replaces its emit, which makes a task for each recipient and each frame."""

    def __init__(self, dialects: Sequence[Dialect]) -> None:
        super().__init__()
        self.marks = Marks()
        self._dialects = dialects
        self._spoken: dict[str, Dialect] = {}
        self._holds: dict[str, dict[str, Hold]] = {}
        self.expel_strangers: Expel = _expel_nobody
        """Called before a frame that tells who takes part; set by the handlers, who know whose socket is whose."""

    async def deliver(self, emit: Emit, *, skip_sid: str | None = None) -> None:
        """Send one frame to everybody in its rooms, once each; who takes part no longer has left them by then.

        A stored event's frame that does not lie above what its room was told is a repeat, or stale: nobody hears it.
        """
        if emit.members is not None:
            await self.expel_strangers(emit.conversation_id, emit.seq or 0, emit.members)
        sockets = self._sockets_in(*emit.rooms)
        encoded = {dialect: self._encode(emit, dialect) for dialect in self._dialects} if sockets else {}
        # What can fail is done: from here on everybody is sent it, or nobody was.
        if not self.marks.note(emit.track, emit.seq, emit.event):
            metrics.REPEATS_DROPPED.inc()
            return
        for sid, engine_sid in sockets:
            if sid == skip_sid:
                continue
            hold = self._hold(sid, emit)
            if hold is None or self._passes(engine_sid, sid, hold, emit):
                await self._send(engine_sid, encoded[self.dialect_of(sid)])

    def sids_in(self, room: str) -> list[str]:
        return [sid for sid, _ in self._sockets_in(room)]

    async def deliver_to(self, sid: str, emits: Iterable[Emit]) -> None:
        """Send frames to one socket, whatever it is waiting for."""
        engine_sid = self.eio_sid_from_sid(sid, NAMESPACE)
        for emit in emits:
            await self._send(engine_sid, self.encode(emit, sid))

    @contextlib.contextmanager
    def holding(self, sid: str, room: str, mark: int) -> Iterator[Hold]:
        """Keep a room's live frames back from one socket inside the block; `release` sends those above the mark."""
        hold = Hold(mark=mark)
        self._holds.setdefault(sid, {})[room] = hold
        try:
            yield hold
        except BaseException:
            self.forget_hold(sid, room)
            raise

    async def release(self, sid: str, hold: Hold) -> None:
        """Send what waited and was not part of the catch-up; from here on the socket is live."""
        while hold.waiting:
            waiting, hold.waiting = hold.waiting, []
            await self.deliver_to(sid, [emit for emit in waiting if not hold.has_sent(emit)])
        hold.waiting = None

    def leave(self, sid: str, user_id: UUID, room: str) -> None:
        """Remember how far a subscription was that ends: its user hears nothing older on the next one."""
        self.marks.left(user_id, room, self.mark(sid, user_id, room))
        self.forget_hold(sid, room)

    def forget_hold(self, sid: str, room: str) -> None:
        holds = self._holds.get(sid)
        if holds:
            holds.pop(room, None)
            if not holds:
                del self._holds[sid]

    def note_listed(self, sid: str, emit: Emit) -> None:
        """Note that a socket's chat list is about to show a conversation as of this event, ahead of the others'."""
        if emit.seq is not None and emit.seq > self.marks.told(track := emit.track):
            self._holds.setdefault(sid, {})[track] = Hold(mark=emit.seq, waiting=None)

    def mark(self, sid: str, user_id: UUID, room: str) -> int:
        """Return how far a user is known to be in a room already: on this socket, or on one that is gone."""
        hold = self._holds.get(sid, {}).get(room)
        return max(hold.mark if hold else NOTHING, self.marks.reached(user_id).get(room, NOTHING))

    def dialect_of(self, sid: str) -> Dialect:
        return self._spoken.get(sid, self._dialects[0])

    def greet_socket(self, sid: str, user_id: UUID, path: str) -> None:
        """A user's next socket, connected to `path`: its chat list goes on where the one before was."""
        self._spoken[sid] = next((one for one in self._dialects if one.path == path.rstrip("/")), self._dialects[0])
        for track, mark in self.marks.reached(user_id).items():
            if track.startswith("list:"):
                self._holds.setdefault(sid, {})[track] = Hold(mark=mark, waiting=None)

    def forget_socket(self, sid: str, user_id: UUID) -> None:
        """Remember how far a socket was that is gone."""
        self._spoken.pop(sid, None)
        for track, hold in self._holds.pop(sid, {}).items():
            self.marks.left(user_id, track, hold.mark)

    def _sockets_in(self, *rooms: str) -> list[tuple[str, str]]:
        return list(self.get_participants(NAMESPACE, list(rooms)))

    def _hold(self, sid: str, emit: Emit) -> Hold | None:
        holds = self._holds.get(sid)
        return holds.get(emit.track) if holds else None

    def _passes(self, engine_sid: str, sid: str, hold: Hold, emit: Emit) -> bool:
        if hold.waiting is not None:
            if len(hold.waiting) >= MAX_HELD:
                self.server.eio.cut(engine_sid)
            else:
                hold.waiting.append(emit)
            return False
        if hold.has_sent(emit):
            return False
        if emit.seq is not None:
            self.forget_hold(sid, emit.track)
        return True

    def encode(self, emit: Emit, sid: str) -> Any | None:
        """Return the packet in a socket's dialect; None where that has no word for it."""
        return self._encode(emit, self.dialect_of(sid))

    def _encode(self, emit: Emit, dialect: Dialect) -> Any | None:
        if (said := dialect.say(emit.event, emit.data)) is None:
            return None
        frame = self.server.packet_class(packet.EVENT, namespace=NAMESPACE, data=list(said)).encode()
        return engine_packet.Packet(engine_packet.MESSAGE, frame)

    async def _send(self, engine_sid: str, encoded: Any | None) -> None:
        if encoded is not None:
            await self.server.eio.send_packet(engine_sid, encoded)
