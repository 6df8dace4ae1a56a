"""How far each conversation was told at this bridge: what does not lie above was heard here. Asked by the rooms.

Relays repeat after a crash, a takeover or an answer that was lost, and a relay that was stopped may go on where it was.
Clients of old replace what they show by whatever comes, so that nothing older may follow what is newer.

A database that is put back to an earlier state takes old numbers again: bridges must be restarted then, and clients.
(What lies very far below a mark is believed all the same: then the mark is wrong, by a bad entry in Redis for one.)
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from realtime_bridge.legacy.frame import Emit, conversation_room

NOTHING = -1  # below the first event of a conversation, which is 0
UNTOLD: tuple[int, frozenset[str]] = (NOTHING, frozenset())  # and under which names: one event may be several frames
TRACKS = 40_000  # the ones told last, some 8 MB: twenty thousand conversations; a repeat is of the last seconds
REPEATED = 100_000  # events of one conversation, eight minutes at 200/s: no relay is stopped that long unnoticed
USERS = 10_000  # whose sockets ended while they were ahead


def track_of(emit: Emit) -> str:
    """Return what a frame is ordered in: its conversation's room, or the conversation's place in people's lists."""
    room = conversation_room(emit.conversation_id)
    return room if emit.rooms[0] == room else f"list:{emit.conversation_id}"


class Marks:
    """The seq of the newest event told on each track, and how far users were who had been brought ahead of it."""

    def __init__(self, tracks: int = TRACKS, users: int = USERS) -> None:
        self._tracks = tracks
        self._users = users
        self._told: OrderedDict[str, tuple[int, frozenset[str]]] = OrderedDict()
        self._ahead: OrderedDict[UUID, dict[str, int]] = OrderedDict()

    def note(self, emit: Emit) -> bool:
        """Note that a frame is told now; False when it is none that its listeners may still hear."""
        if emit.seq is None:
            return True
        track = track_of(emit)
        seq, names = self._told.get(track, UNTOLD)
        if seq - REPEATED < emit.seq < seq or (emit.seq == seq and emit.event in names):
            return False
        self._told[track] = (emit.seq, names | {emit.event} if emit.seq == seq else frozenset((emit.event,)))
        self._told.move_to_end(track)
        _cut(self._told, self._tracks)
        return True

    def told(self, track: str) -> int:
        return self._told.get(track, UNTOLD)[0]

    def left(self, user_id: UUID, track: str, mark: int) -> None:
        """Note how far a subscription was that ends, if a catch-up had brought it ahead."""
        if mark > self.told(track):
            reached = self._ahead.setdefault(user_id, {})
            reached[track] = max(mark, reached.get(track, NOTHING))
            self._ahead.move_to_end(user_id)
            _cut(self._ahead, self._users)

    def reached(self, user_id: UUID) -> Mapping[str, int]:
        """Return how far the user was, by track, on sockets that are gone; elsewhere no farther than everybody."""
        reached = self._ahead.get(user_id, {})
        for track in [track for track, mark in reached.items() if mark <= self.told(track)]:
            del reached[track]
        return reached


def _cut(marks: OrderedDict[Any, Any], size: int) -> None:
    while len(marks) > size:
        marks.popitem(last=False)
