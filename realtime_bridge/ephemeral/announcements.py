"""Announcements on Supabase's channels of what legacy users do. They type, come and go. Kept by the bridge."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from realtime_bridge import metrics
from realtime_bridge.ephemeral import signs
from realtime_bridge.ephemeral.rooms import Room, RoomsHere
from realtime_bridge.ephemeral.signs import Kind, Origin, Sign, topic_of


class Speech(Protocol):
    """What is needed of `supabase.seats.Seats`."""

    def is_joined(self, topic: str) -> bool: ...

    async def send(self, topic: str, event: str, payload: Mapping[str, Any]) -> bool: ...


class Announcements:
    """Who came is said as soon as the seat is taken: said before, nobody would hear it."""

    def __init__(self, channels: Speech, rooms: RoomsHere) -> None:
        self._channels = channels
        self._rooms = rooms
        self._joins: dict[int, set[UUID]] = {}

    @property
    def joins_wait(self) -> bool:
        return bool(self._joins)

    def join_waits(self, conversation_id: int, user_id: UUID) -> None:
        self._joins.setdefault(conversation_id, set()).add(user_id)

    def forget(self, conversation_id: int) -> None:
        self._joins.pop(conversation_id, None)

    async def say(self, sign: Sign, room: Room | None) -> None:
        """Tell the channel, with the name under which the room's members know the user."""
        named = replace(sign, username=room.names.get(sign.user_id)) if room else sign
        payload = signs.crossed(named, datetime.now(UTC))
        if await self._channels.send(topic_of(sign.conversation_id), sign.kind, payload):
            metrics.SIGNS.labels(sign.origin).inc()

    async def announce_joins(self) -> None:
        for conversation_id in [one for one in self._joins if self._channels.is_joined(topic_of(one))]:
            room = self._rooms.find(conversation_id)
            for user_id in sorted(self._joins.pop(conversation_id)):
                await self._announce(Kind.JOIN, conversation_id, user_id, room)

    async def announce_leave(self, conversation_id: int, user_id: UUID, room: Room) -> None:
        """Say who left, if it was said that they came."""
        waiting = self._joins.get(conversation_id, set())
        if user_id in waiting:
            waiting.discard(user_id)
        else:
            await self._announce(Kind.LEAVE, conversation_id, user_id, room)

    async def _announce(self, kind: Kind, conversation_id: int, user_id: UUID, room: Room | None) -> None:
        sign = Sign(kind=kind, conversation_id=conversation_id, user_id=user_id, origin=Origin.LEGACY)
        await self.say(sign, room)
