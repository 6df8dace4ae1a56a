"""RealtimeService: says which private channels an event belongs to, and broadcasts it there. Used by the Supabase sink.

Channels: `conversation:{id}` for those who have it open, `user:{uid}:inbox` for everybody who takes part in it.
"""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID, uuid5

from psycopg import AsyncConnection

from realtime_bridge.event_log.event import Event
from realtime_bridge.supabase.transport import Broadcast, Transport
from realtime_bridge.transports.refusals import send_all_but_refused


def conversation_topic(conversation_id: int) -> str:
    return f"conversation:{conversation_id}"


def inbox_topic(user_id: UUID) -> str:
    return f"user:{user_id}:inbox"


def broadcasts_of(event: Event, *, without_inbox: Collection[UUID] = ()) -> tuple[Broadcast, ...]:
    """Return one broadcast for the conversation and one for each participant's inbox.

    Each has an id of its own, made of event and topic: the same whenever and however it is sent, so a repeat is known.
    """
    inboxes = [inbox_topic(user) for user in event.participants if user not in without_inbox]
    topics = [conversation_topic(event.conversation_id), *inboxes]
    return tuple(
        Broadcast(
            topic=topic,
            event=event.type,
            payload=event.payload,
            id=uuid5(event.event_id, topic),
            payload_bytes=event.payload_bytes,
        )
        for topic in topics
    )


class RealtimeService:
    """Broadcasts to Supabase Realtime over one transport. Raises SinkUnavailable (sinks/base.py)."""

    def __init__(self, transport: Transport, *, without_inbox: Collection[UUID] = ()) -> None:
        """`without_inbox`: who listens to conversations only, so that nobody pays for broadcasts to nobody."""
        self.transport = transport
        self._without_inbox = without_inbox

    def broadcasts_of(self, event: Event) -> tuple[Broadcast, ...]:
        return broadcasts_of(event, without_inbox=self._without_inbox)

    async def broadcast_events(
        self, events: Sequence[Event], connection: AsyncConnection[Any] | None
    ) -> dict[UUID, str]:
        """Broadcast stored events in order; return why events were refused. What is not refused has been sent."""
        batch = [(event, broadcast) for event in events for broadcast in self.broadcasts_of(event)]

        async def send(broadcasts: Sequence[Broadcast]) -> None:
            await self.transport.send(broadcasts, connection)

        refused = await send_all_but_refused(send, [broadcast for _, broadcast in batch])
        return {batch[place][0].event_id: why for place, why in refused.items()}
