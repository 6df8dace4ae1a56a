"""The sink `supabase`: broadcasts the log to private Realtime channels. Driven by the relay."""

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import AsyncConnection

from realtime_bridge.events import Event
from realtime_bridge.service import RealtimeService
from realtime_bridge.sinks.base import Delivery, Refusal, SinkUnavailable

BATCH_BYTES = 4_000_000  # of payloads, one for each broadcast: a full batch of ordinary messages has a tenth of it


class SupabaseSink:
    """Delivers in batches of the transport's size; an event is refused when one of its broadcasts is."""

    name = "supabase"

    def __init__(self, service: RealtimeService) -> None:
        self._service = service

    @property
    def transactional(self) -> bool:
        return self._service.transport.transactional

    def resume(self) -> None:
        """Clients hold their sockets to Supabase, which did not restart: there is nobody to wait for."""

    async def deliver(self, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
        """Broadcast `events` in order; stops at the first batch that finds Supabase unavailable."""
        settled = 0
        refused: list[Refusal] = []
        for batch in self._batches(events):
            try:
                refused += _blame(batch, await self._send(batch, connection))
            except SinkUnavailable as reason:
                if settled == 0:
                    raise
                return Delivery(settled=settled, refused=tuple(refused), unavailable=reason)
            settled += len(batch)
        return Delivery(settled=settled, refused=tuple(refused))

    async def _send(self, batch: Sequence[Event], connection: AsyncConnection[Any] | None) -> list[Refusal]:
        refused = await self._service.broadcast_events(batch, connection)
        return [Refusal(event=event, reason=refused[event.event_id]) for event in batch if event.event_id in refused]

    def _batches(self, events: Sequence[Event]) -> Iterator[Sequence[Event]]:
        """Cut into runs of what the transport takes at once, and BATCH_BYTES; an event's broadcasts stay together."""
        limit = self._service.transport.max_batch
        batch: list[Event] = []
        size = weight = 0
        for event in events:
            count = len(self._service.broadcasts_of(event))
            heavy = count * event.payload_bytes
            if batch and (size + count > limit or weight + heavy > BATCH_BYTES):
                yield batch
                batch, size, weight = [], 0, 0
            batch.append(event)
            size += count
            weight += heavy
        if batch:
            yield batch


def _blame(batch: Sequence[Event], refused: list[Refusal]) -> list[Refusal]:
    """Return the refusals, unless everything was refused: then the other side is at fault, and nothing is parked."""
    if len(refused) == len(batch) > 1:
        raise SinkUnavailable(f"refused all of {len(batch)} events; the last: {refused[-1].reason}")
    return refused
