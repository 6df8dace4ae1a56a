"""Marks of how far each conversation was told at this bridge. What does not lie above was heard here.

Asked by the rooms.

Relays repeat after a crash, a takeover or an answer that was lost, and a relay that was stopped may go on where it was.
Clients of old replace what they show by whatever comes, so that nothing older may follow what is newer.

A database that is put back to an earlier state takes old numbers again: bridges must be restarted then, and clients.
(What lies very far below a mark is believed all the same: then the mark is wrong, by a bad entry in Redis for one.)
"""

from collections.abc import Mapping
from uuid import UUID

from cachetools import LRUCache

NOTHING = -1  # below the first event of a conversation, which is 0
UNTOLD: tuple[int, frozenset[str]] = (NOTHING, frozenset())  # and under which names: one event may be several frames
TRACKS = 40_000  # the ones told last, some 8 MB: twenty thousand conversations; a repeat is of the last seconds
REPEATED = 100_000  # events of one conversation, eight minutes at 200/s: no relay is stopped that long unnoticed
USERS = 10_000  # whose sockets ended while they were ahead


class Marks:
    """The seq of the newest event told on each track, and how far users were who had been brought ahead of it."""

    def __init__(self, tracks: int = TRACKS, users: int = USERS) -> None:
        self._told: LRUCache[str, tuple[int, frozenset[str]]] = LRUCache(tracks)
        self._ahead: LRUCache[UUID, dict[str, int]] = LRUCache(users)

    def note(self, track: str, seq: int | None, name: str) -> bool:
        """Note that an event is told now under this name; False when its listeners may not hear it any more."""
        if seq is None:
            return True
        newest, names = self._told.get(track, UNTOLD)
        if newest - REPEATED < seq < newest or (seq == newest and name in names):
            return False
        self._told[track] = (seq, names | {name} if seq == newest else frozenset((name,)))
        return True

    def told(self, track: str) -> int:
        return self._told.get(track, UNTOLD)[0]

    def left(self, user_id: UUID, track: str, mark: int) -> None:
        """Note how far a subscription was that ends, if a catch-up had brought it ahead."""
        if mark > self.told(track):
            reached = self._ahead.setdefault(user_id, {})
            reached[track] = max(mark, reached.get(track, NOTHING))

    def reached(self, user_id: UUID) -> Mapping[str, int]:
        """Return how far the user was, by track, on sockets that are gone; elsewhere no farther than everybody."""
        reached = self._ahead.get(user_id, {})
        for track in [track for track, mark in reached.items() if mark <= self.told(track)]:
            del reached[track]
        return reached
