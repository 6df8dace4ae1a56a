"""The sink `supabase`: broadcasts the log to private Realtime channels. Driven by the relay."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import Any
from uuid import UUID, uuid5

from psycopg import AsyncConnection

from realtime_bridge.event_log.event import Event
from realtime_bridge.relay.sink import Delivery, EventRefused, Refusal, SinkOverRate, SinkUnavailable
from realtime_bridge.shared.topics import conversation_topic, inbox_topic
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.transport import Broadcast, Transport

Send = Callable[[Sequence[Broadcast]], Awaitable[None]]


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
    """Broadcasts to Supabase Realtime over one transport. Raises SinkUnavailable (relay/sink.py)."""

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

        refused = await _send_all_but_refused(send, [broadcast for _, broadcast in batch])
        return {batch[place][0].event_id: why for place, why in refused.items()}


async def _send_all_but_refused(send: Send, broadcasts: Sequence[Broadcast]) -> dict[int, str]:
    """Return, by place, why broadcasts were refused; all others have been sent. Raises SinkUnavailable.

    A refusal that names messages leaves out those; one that names none is halved until the culprit stands alone.
    """
    if not broadcasts:
        return {}
    try:
        await send(broadcasts)
    except EventRefused as reason:
        named = {place: why for place, why in reason.named.items() if place < len(broadcasts)}
        if named:
            others = [place for place in range(len(broadcasts)) if place not in named]
            return named | await _send_parts(send, broadcasts, [others])
        if len(broadcasts) == 1:
            return {0: str(reason)}
        places = range(len(broadcasts))
        middle = len(broadcasts) // 2
        return await _send_parts(send, broadcasts, [places[:middle], places[middle:]])
    return {}


async def _send_parts(send: Send, broadcasts: Sequence[Broadcast], parts: Sequence[Sequence[int]]) -> dict[int, str]:
    refused: dict[int, str] = {}
    for part in parts:
        found = await _send_all_but_refused(send, [broadcasts[place] for place in part])
        refused |= {part[place]: why for place, why in found.items()}
    return refused


BATCH_BYTES = 4_000_000  # of payloads, one for each broadcast: a full batch of ordinary messages has a tenth of it


class SupabaseSink:
    """Delivers in batches of the transport's size, and no more than the project takes.

    An event is refused when one of its broadcasts is. `way` says when there is nobody to hear, and the events wait.
    """

    name = "supabase"

    def __init__(self, service: RealtimeService, way: Way | None = None) -> None:
        self._service = service
        self._way = way or Way()

    @property
    def transactional(self) -> bool:
        return self._service.transport.transactional

    def resume(self) -> None:
        """Clients hold their sockets to Supabase, which did not restart: there is nobody to wait for."""

    async def deliver(self, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
        """Broadcast `events` in order; stops at the first batch that finds Supabase unavailable, or busy enough."""
        self._way.check()
        settled = 0
        refused: list[Refusal] = []
        for batch, count in self._batches(events):
            try:
                self._way.rate.check(count)
                refused += await self._send(batch, connection)
                self._way.rate.spend(count)  # what was refused as too much does not count there either
            except SinkUnavailable as reason:
                is_void = connection is not None and not isinstance(reason, SinkOverRate)
                if settled == 0 or is_void:
                    raise
                return Delivery(settled=settled, refused=tuple(refused), unavailable=reason)
            settled += len(batch)
        return Delivery(settled=settled, refused=tuple(refused))

    async def _send(self, batch: Sequence[Event], connection: AsyncConnection[Any] | None) -> list[Refusal]:
        """Return the refusals; when everything was refused the other side is at fault, and nothing is parked."""
        why = await self._service.broadcast_events(batch, connection)
        refused = [Refusal(event=event, reason=why[event.event_id]) for event in batch if event.event_id in why]
        if len(refused) == len(batch) > 1:
            raise SinkUnavailable(f"refused all of {len(batch)} events; the last: {refused[-1].reason}")
        return refused

    def _batches(self, events: Sequence[Event]) -> Iterator[tuple[Sequence[Event], int]]:
        """Cut into runs of what may go at once, each with its number of broadcasts; an event stays whole."""
        batch: list[Event] = []
        size = weight = 0
        for event in events:
            count = len(self._service.broadcasts_of(event))
            heavy = count * event.payload_bytes
            if batch and (size + count > self._most() or weight + heavy > BATCH_BYTES):
                yield batch, size
                batch, size, weight = [], 0, 0
            batch.append(event)
            size += count
            weight += heavy
        if batch:
            yield batch, size

    def _most(self) -> int:
        room = self._way.rate.room()
        most = self._service.transport.max_batch
        return most if room is None else min(room, most)
