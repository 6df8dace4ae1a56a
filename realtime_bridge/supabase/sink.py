"""The sink `supabase`: broadcasts the log to private Realtime channels. Driven by the relay."""

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import AsyncConnection

from realtime_bridge.event_log.event import Event
from realtime_bridge.relay.sink import Delivery, Refusal, SinkUnavailable
from realtime_bridge.service import RealtimeService
from realtime_bridge.supabase.probe.way import Way

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
                self._way.rate.spend(count)
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


def _blame(batch: Sequence[Event], refused: list[Refusal]) -> list[Refusal]:
    """Return the refusals, unless everything was refused: then the other side is at fault, and nothing is parked."""
    if len(refused) == len(batch) > 1:
        raise SinkUnavailable(f"refused all of {len(batch)} events; the last: {refused[-1].reason}")
    return refused
