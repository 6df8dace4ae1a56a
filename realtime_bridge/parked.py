"""Events that a sink refused, with the reason. Written by the relay, read and sent again by an operator."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, Connection
from psycopg.rows import DictRow, dict_row

from realtime_bridge import sql
from realtime_bridge.events import Event
from realtime_bridge.log import event_of
from realtime_bridge.sinks.base import Refusal

_QUERIES = sql.load(__file__)
REASON_CHARACTERS = 2_000  # enough for any server's complaint; a page of HTML is not a reason


async def park(connection: AsyncConnection[Any], sink: str, refusals: Iterable[Refusal]) -> None:
    """Keep a copy of each refused event; parking it again counts an attempt."""
    for refusal in refusals:
        event, reason = refusal.event, refusal.reason[:REASON_CHARACTERS]
        values = {"sink": sink, "id": event.id, "event_id": event.event_id, "reason": reason}
        await connection.execute(_QUERIES["park"], values)


async def take_requested(connection: AsyncConnection[Any], sink: str, limit: int) -> tuple[Event, ...]:
    """Return the parked events that an operator asked to send again, oldest first."""
    async with connection.cursor(row_factory=dict_row) as reader:
        await reader.execute(_QUERIES["take_requested"], {"sink": sink, "limit": limit})
        return tuple(replace(event_of(row), is_replay=True) for row in await reader.fetchall())


async def unpark(connection: AsyncConnection[Any], sink: str, event_ids: list[UUID]) -> None:
    """Forget parked events that were delivered after all."""
    await connection.execute(_QUERIES["unpark"], {"sink": sink, "event_ids": event_ids})


def list_parked(connection: Connection[DictRow], *, sink: str | None, limit: int, offset: int) -> list[DictRow]:
    """Return parked events for an operator, newest first (all sinks when `sink` is None)."""
    values = {"sink": sink, "limit": limit, "offset": offset}
    return connection.execute(_QUERIES["list_parked"], values).fetchall()


def request_replay(connection: Connection[DictRow], *, sink: str | None, event_ids: list[UUID] | None) -> list[DictRow]:
    """Ask the relay to deliver parked events again (None means all); return sink and event id of each."""
    requested = connection.execute(_QUERIES["request_replay"], {"sink": sink, "event_ids": event_ids}).fetchall()
    connection.execute(_QUERIES["announce"])
    return requested
