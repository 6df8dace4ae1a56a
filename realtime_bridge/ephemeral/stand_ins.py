"""Stand-ins for legacy users in the presence of Supabase's channels. Each is an entry of its own.

Kept by the bridge.
"""

from collections.abc import Mapping
from uuid import UUID

from realtime_bridge.ephemeral import signs
from realtime_bridge.ephemeral.signs import topic_of
from realtime_bridge.supabase.seats import Seats

STAND_INS = 10  # of a conversation: Supabase gives a socket one entry in a channel, so each is a seat on another socket


class StandIns:
    """`bridge` names whose sockets these users hold."""

    def __init__(self, entries: Seats, bridge: str) -> None:
        self._entries = entries
        self._bridge = bridge
        self._shown: dict[int, frozenset[UUID]] = {}

    def show(self, conversation_id: int, users: frozenset[UUID], names: Mapping[UUID, str | None]) -> None:
        """Show exactly these users of a conversation, by id and name."""
        topic = topic_of(conversation_id)
        shown = frozenset(sorted(users)[:STAND_INS])
        for user_id in self._shown.pop(conversation_id, frozenset()) - shown:
            self._entries.leave(topic, str(user_id))
        for user_id in shown:
            state = signs.stand_in(user_id, names.get(user_id), self._bridge)
            self._entries.stand_in(topic, str(user_id), state)
        if shown:
            self._shown[conversation_id] = shown
