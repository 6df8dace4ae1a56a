"""Standing of those who are connected: put out, or gone? Asked by the endings; only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from psycopg.rows import class_row

from realtime_bridge.shared import sql
from realtime_bridge.shared.database import Pool

_QUERIES = sql.AsyncQueries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A user whose sockets are to be closed, once. `ended_at` (epoch seconds): older tokens open nothing any more."""

    user_id: UUID
    closed_at: datetime
    ended_at: float | None


class StoredStanding:
    """In Postgres, through the bridge's pool. Raises psycopg.Error, or TimeoutError."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def now(self) -> datetime:
        async with self._pool.connection() as connection:
            return cast(datetime, await _QUERIES.get_value(connection, "find_now"))

    async def find_closed(self, since: datetime) -> list[Closed]:
        """Return who was put out after `since`, the longest ago first."""
        async with self._pool.connection() as connection:
            return await _QUERIES.list_rows(connection, "find_closed", class_row(Closed), since=since)

    async def find_gone(self, user_ids: Sequence[UUID]) -> set[UUID]:
        """Return those that the project does not have any more."""
        async with self._pool.connection() as connection:
            return set(await _QUERIES.list_values(connection, "find_gone", user_ids=list(user_ids)))
