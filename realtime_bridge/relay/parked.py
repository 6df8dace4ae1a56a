"""Events that a sink refused, with the reason. Written by the relay, read and sent again by an operator."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

import structlog
from psycopg import AsyncConnection, Connection
from psycopg.rows import DictRow, dict_row

from realtime_bridge.event_log import leases
from realtime_bridge.event_log.event import Event
from realtime_bridge.event_log.leases import Lease
from realtime_bridge.event_log.reading import event_of
from realtime_bridge.relay.sink import Listener, Refusal, Sink, delivered
from realtime_bridge.shared import sql

log = structlog.get_logger(__name__)
_QUERIES = sql.AsyncQueries(__file__)
_COMMANDS = sql.Queries(__file__)
REASON_CHARACTERS = 2_000  # enough for any server's complaint; a page of HTML is not a reason


async def park(connection: AsyncConnection[Any], sink: str, refusals: Iterable[Refusal]) -> None:
    """Keep a copy of each refused event; parking it again counts an attempt."""
    for refusal in refusals:
        event, reason = refusal.event, refusal.reason[:REASON_CHARACTERS]
        await _QUERIES.run(connection, "park", sink=sink, id=event.id, event_id=event.event_id, reason=reason)


async def take_requested(connection: AsyncConnection[Any], sink: str, limit: int) -> tuple[Event, ...]:
    """Return the parked events that an operator asked to send again, oldest first."""
    rows = await _QUERIES.list_rows(connection, "take_requested", dict_row, sink=sink, limit=limit)
    return tuple(replace(event_of(row), is_replay=True) for row in rows)


async def replay(connection: AsyncConnection[Any], sink: Sink, listener: Listener, lease: Lease, limit: int) -> None:
    """Deliver again what an operator asked for; what is refused again is parked again. Raises SinkUnavailable."""
    events = await take_requested(connection, sink.name, limit)
    async with delivered(sink, connection, events, listener) as delivery:
        refused = {refusal.event.event_id for refusal in delivery.refused}
        done = [event.event_id for event in events[: delivery.settled] if event.event_id not in refused]
        async with connection.transaction():
            await leases.renew(connection, lease)
            await unpark(connection, sink.name, done)
            await park(connection, sink.name, delivery.refused)
    log.info("parked events replayed", sink=sink.name, delivered=len(done), refused=len(refused))
    if delivery.unavailable:
        raise delivery.unavailable


async def unpark(connection: AsyncConnection[Any], sink: str, event_ids: list[UUID]) -> None:
    """Forget parked events that were delivered after all."""
    await _QUERIES.run(connection, "unpark", sink=sink, event_ids=event_ids)


def list_parked(connection: Connection[Any], *, sink: str | None, limit: int, offset: int) -> list[DictRow]:
    """Return parked events for an operator, newest first (all sinks when `sink` is None)."""
    return _COMMANDS.list_rows(connection, "list_parked", dict_row, sink=sink, limit=limit, offset=offset)


def request_replay(connection: Connection[Any], *, sink: str | None, event_ids: list[UUID] | None) -> list[DictRow]:
    """Ask the relay to deliver parked events again (None means all); return sink and event id of each."""
    requested = _COMMANDS.list_rows(connection, "request_replay", dict_row, sink=sink, event_ids=event_ids)
    _COMMANDS.run(connection, "announce")
    return requested
