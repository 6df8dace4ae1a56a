"""RealtimeService: says which private channels an event belongs to, and broadcasts it there. Used by the Supabase sink.

Channels: `conversation:{id}` for those who have it open, `user:{uid}:inbox` for everybody who takes part in it.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from realtime_bridge.events import Event
from realtime_bridge.transports.base import Broadcast, Transport


def conversation_topic(conversation_id: int) -> str:
    return f"conversation:{conversation_id}"


def inbox_topic(user_id: UUID) -> str:
    return f"user:{user_id}:inbox"


def broadcasts_of(event: Event) -> tuple[Broadcast, ...]:
    """Return one broadcast for the conversation and one for each participant's inbox."""
    topics = [conversation_topic(event.conversation_id), *(inbox_topic(user) for user in event.participants)]
    return tuple(
        Broadcast(
            topic=topic,
            event=event.type,
            payload=event.payload,
            id=event.event_id,
            payload_bytes=event.payload_bytes,
        )
        for topic in topics
    )


class RealtimeService:
    """Broadcasts to Supabase Realtime over one transport. Raises SinkUnavailable or EventRefused (sinks/base.py)."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def broadcast_events(self, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> None:
        """Broadcast stored events in order, all or none of them."""
        batch = [broadcast for event in events for broadcast in broadcasts_of(event)]
        await self.transport.send(batch, connection)
