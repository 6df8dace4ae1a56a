"""The sink `supabase`: broadcasts the log to private Realtime channels. Driven by the relay."""

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import AsyncConnection

from realtime_bridge.events import Event
from realtime_bridge.service import RealtimeService, broadcasts_of
from realtime_bridge.sinks.base import Delivery, EventRefused, Fence, Refusal, SinkUnavailable


class SupabaseSink:
    """Delivers in batches of the transport's size; halves a refused batch until the culprit stands alone."""

    name = "supabase"

    def __init__(self, service: RealtimeService) -> None:
        self._service = service

    @property
    def transactional(self) -> bool:
        return self._service.transport.transactional

    def resume(self) -> None:
        """Clients hold their sockets to Supabase, which did not restart: there is nobody to wait for."""

    def guard(self, fence: Fence) -> None:
        """The cursor moves with what is written; over HTTP a repeat carries the same id."""

    async def deliver(self, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
        """Broadcast `events` in order; stops at the first batch that finds Supabase unavailable."""
        settled = 0
        refused: list[Refusal] = []
        for batch in _batches(events, self._service.transport.max_batch):
            try:
                refused += _blame(batch, await self._send(batch, connection))
            except SinkUnavailable as reason:
                if settled == 0:
                    raise
                return Delivery(settled=settled, refused=tuple(refused), unavailable=reason)
            settled += len(batch)
        return Delivery(settled=settled, refused=tuple(refused))

    async def _send(self, batch: Sequence[Event], connection: AsyncConnection[Any] | None) -> list[Refusal]:
        try:
            await self._service.broadcast_events(batch, connection)
        except EventRefused as reason:
            if len(batch) == 1:
                return [Refusal(event=batch[0], reason=str(reason))]
            middle = len(batch) // 2
            first = await self._send(batch[:middle], connection)
            return first + await self._send(batch[middle:], connection)
        return []


def _blame(batch: Sequence[Event], refused: list[Refusal]) -> list[Refusal]:
    """Return the refusals, unless everything was refused: then the other side is at fault, and nothing is parked."""
    if len(refused) == len(batch) > 1:
        raise SinkUnavailable(f"refused all of {len(batch)} events; the last: {refused[-1].reason}")
    return refused


def _batches(events: Sequence[Event], limit: int) -> Iterator[Sequence[Event]]:
    """Cut into runs of at most `limit` broadcasts; an event's own broadcasts stay together."""
    batch: list[Event] = []
    size = 0
    for event in events:
        weight = len(broadcasts_of(event))
        if batch and size + weight > limit:
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += weight
    if batch:
        yield batch
