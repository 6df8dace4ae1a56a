"""Standing of those who are connected: put out, or gone? Asked by the endings; only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, cast
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from realtime_bridge.shared import sql

_QUERIES = sql.AsyncQueries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A user whose sockets are to be closed, once. `ended_at` (epoch seconds): older tokens open nothing any more."""

    user_id: UUID
    closed_at: datetime
    ended_at: float | None


class Standing(Protocol):
    """Raises psycopg.Error, or TimeoutError."""

    async def now(self) -> datetime: ...

    async def find_closed(self, since: datetime) -> list[Closed]:
        """Return who was put out after `since`, the longest ago first."""

    async def find_gone(self, user_ids: Sequence[UUID]) -> set[UUID]:
        """Return those that the project does not have any more."""


class StoredStanding:
    """In Postgres, through the bridge's pool."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def now(self) -> datetime:
        async with self._pool.connection() as connection:
            row = await _QUERIES.find_value(connection, "find_now")
        return cast(datetime, row)

    async def find_closed(self, since: datetime) -> list[Closed]:
        async with self._pool.connection() as connection:
            return await _QUERIES.list_rows(connection, "find_closed", class_row(Closed), since=since)

    async def find_gone(self, user_ids: Sequence[UUID]) -> set[UUID]:
        async with self._pool.connection() as connection:
            return set(await _QUERIES.list_values(connection, "find_gone", user_ids=list(user_ids)))
