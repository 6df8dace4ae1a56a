"""Rooms: this bridge's legacy sockets, by conversation. Pure; kept by the ephemeral bridge."""

from dataclasses import dataclass, field
from uuid import UUID

from realtime_bridge.ephemeral.members import UNKNOWN, Membership


@dataclass(slots=True)
class Room:
    sockets: dict[UUID, set[str]] = field(default_factory=dict)
    """By user."""
    membership: Membership = UNKNOWN
    on_supabase: frozenset[UUID] = frozenset()
    """Whom the channel's presence showed last."""

    @property
    def participants(self) -> frozenset[UUID]:
        return frozenset(self.membership.names)

    @property
    def users(self) -> frozenset[UUID]:
        return frozenset(self.sockets)


class RoomsHere(dict[int, Room]):
    """Rooms, by conversation, exist while a socket is in them."""

    def enter(self, conversation_id: int, user_id: UUID, sid: str) -> bool:
        """Return whether it is the user's first socket there."""
        sockets = self.setdefault(conversation_id, Room()).sockets.setdefault(user_id, set())
        sockets.add(sid)
        return len(sockets) == 1

    def exit(self, conversation_id: int, user_id: UUID, sid: str) -> Room | None:
        """Return the room if the user's last socket has left it (it may be empty then, and is forgotten)."""
        room = self.get(conversation_id)
        if room is None or sid not in room.sockets.get(user_id, ()):
            return None
        room.sockets[user_id].discard(sid)
        if room.sockets[user_id]:
            return None
        del room.sockets[user_id]
        if not room.sockets:
            del self[conversation_id]
        return room
