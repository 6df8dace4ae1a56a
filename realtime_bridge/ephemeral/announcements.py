"""Announcements on Supabase's channels of what legacy users do. They type, come and go. Kept by the bridge."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from realtime_bridge import metrics
from realtime_bridge.ephemeral import signs
from realtime_bridge.ephemeral.rooms import Room, RoomsHere
from realtime_bridge.ephemeral.signs import Kind, Origin, Sign, topic_of
from realtime_bridge.supabase.seats import Seats


class Announcements:
    """Who came or went, by conversation: said as soon as the seat is taken; said before, nobody would hear it."""

    def __init__(self, channels: Seats, rooms: RoomsHere) -> None:
        self._channels = channels
        self._rooms = rooms
        self._unsaid: dict[int, dict[UUID, Sign]] = {}

    @property
    def wait(self) -> bool:
        return bool(self._unsaid)

    def note(self, kind: Kind, conversation_id: int, user_id: UUID, username: str | None = None) -> None:
        """Have it said that somebody came or went, unless the opposite is still to be said: then neither is."""
        unsaid = self._unsaid.setdefault(conversation_id, {})
        opposite = unsaid.pop(user_id, None)
        if opposite is None or opposite.kind is kind:
            unsaid[user_id] = Sign(
                kind=kind, conversation_id=conversation_id, user_id=user_id, origin=Origin.LEGACY, username=username
            )

    def forget(self, conversation_id: int) -> None:
        self._unsaid.pop(conversation_id, None)

    async def announce(self) -> None:
        for conversation_id, unsaid in list(self._unsaid.items()):
            room = self._rooms.get(conversation_id)
            for user_id, sign in list(unsaid.items()):
                if not self._channels.is_joined(topic_of(conversation_id)) or not await self.say(sign, room):
                    break
                del unsaid[user_id]
            if not unsaid:
                del self._unsaid[conversation_id]

    async def say(self, sign: Sign, room: Room | None) -> bool:
        """Tell the channel, with the name under which the room's members know the user."""
        named = replace(sign, username=room.membership.names.get(sign.user_id)) if room and not sign.username else sign
        payload = signs.crossed(named, datetime.now(UTC))
        is_said = await self._channels.send(topic_of(sign.conversation_id), sign.kind, payload)
        if is_said:
            metrics.SIGNS.labels(sign.origin).inc()
        return is_said
