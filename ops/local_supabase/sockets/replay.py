"""Replay of a private topic's messages from before the client joined. Of those that the database sent."""

from dataclasses import dataclass

from psycopg.rows import tuple_row

from ops.local_supabase.database.connections import Sessions
from ops.local_supabase.sockets.join_config import Replay
from ops.local_supabase.wire.frames import Encoding
from realtime_bridge.shared.sql import AsyncQueries

_QUERIES = AsyncQueries(__file__)
_OLDEST_MS, _NEWEST_MS = 0, 253_402_300_799_000  # years 1970 to 9999: what to_timestamp and a timestamp can hold


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A row of realtime.messages."""

    id: str
    event: str
    content: bytes
    encoding: Encoding


async def recent_messages(sessions: Sessions, topic: str, replay: Replay) -> list[StoredMessage]:
    """Return the newest messages since a moment, oldest first; one transaction's come in reverse, as on Supabase."""
    since_s = min(max(replay.since_ms, _OLDEST_MS), _NEWEST_MS) / 1000
    values = {"topic": topic, "since_s": since_s, "limit": replay.limit}
    async with sessions.borrow() as connection:
        rows = await _QUERIES.list_rows(connection, "recent_messages", tuple_row, **values)
    return [message for row in reversed(rows) if (message := _message(*row)) is not None]


def _message(message_id: object, event: str | None, payload: str | None, binary: bytes | None) -> StoredMessage | None:
    if event is None:
        return None
    if binary is not None:
        return StoredMessage(str(message_id), event, binary, Encoding.RAW)
    if payload is not None:
        return StoredMessage(str(message_id), event, payload.encode(), Encoding.JSON)
    return None
