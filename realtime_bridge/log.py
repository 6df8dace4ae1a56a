"""Read the event log past a cursor. Called by the relay; never writes (writers append through gateway/store)."""

from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from realtime_bridge import sql
from realtime_bridge.content_html import with_html
from realtime_bridge.cursor import Cursor, Snapshot
from realtime_bridge.events import Event

_QUERIES = sql.load(__file__)
EVENT_FIELDS = (
    "id", "event_id", "account_id", "conversation_id", "seq", "type", "payload", "origin", "created_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Events in id order (which is seq order within a conversation) and the snapshot they were read with."""

    events: tuple[Event, ...]
    snapshot: Snapshot
    is_full: bool
    """True when the limit cut it: there may be more, also below the last id."""
    replay_requested: bool


async def read_page(connection: AsyncConnection[Any], sink: str, cursor: Cursor, limit: int) -> Page:
    """Read up to `limit` events that appeared in the cursor's holes or above its mark."""
    holes = [{"first": hole.first, "last": hole.last} for hole in cursor.holes]
    values = {"sink": sink, "high_water": cursor.high_water, "holes": Jsonb(holes), "limit": limit}
    async with connection.cursor(row_factory=dict_row) as reader:
        await reader.execute(_QUERIES["read_page"], values)
        rows = await reader.fetchall()
    events = tuple(event_of(row) for row in rows if row["id"] is not None)
    return Page(
        events=events,
        snapshot=Snapshot(xmin=rows[0]["xmin"], bound=rows[0]["bound"]),
        is_full=len(events) == limit,
        replay_requested=rows[0]["replay_requested"],
    )


def event_of(row: dict[str, Any]) -> Event:
    """Return the event of a row; with the safe form of its texts when the row says that its account wants it."""
    values = {name: row[name] for name in EVENT_FIELDS}
    if row.get("wants_html"):
        values["payload"] = with_html(values["payload"])
    return Event(**values, participants=tuple(row["participants"]))
