"""What the legacy sockets ask the database: who may listen, what somebody missed. Called on subscribe; only reads."""

import asyncio
from typing import Any, Protocol
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from realtime_bridge import sql
from realtime_bridge.events import Event
from realtime_bridge.legacy import cards
from realtime_bridge.legacy.cards import Card
from realtime_bridge.log import event_of

QUERY_TIMEOUT_S = 5.0  # a client waits for its acknowledgement; later it would ask again anyway
MAX_CONCURRENT = 4  # reconnecting clients must leave connections to the relays that share the pool

_QUERIES = sql.load(__file__)


class ConversationsUnavailable(Exception):
    """The database did not answer in time; the client is told to try again."""


class Conversations(Protocol):
    """Raises nothing but ConversationsUnavailable."""

    async def find_last_seq(self, conversation_id: int, user_id: UUID) -> int | None:
        """Return the newest event's seq, or None when the conversation is unknown or the user takes no part in it."""

    async def read_events(self, conversation_id: int, user_id: UUID, after_seq: int, limit: int) -> list[Event]:
        """Return up to `limit` events after `after_seq`, in seq order; none to a user who takes no part by now."""

    async def find_card(self, conversation_id: int, user_id: UUID) -> Card | None:
        """Return how the conversation stands now; None when it is gone, or the user takes no part by now."""


class StoredConversations:
    """Conversations in Postgres, through the bridge's pool."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._turns = asyncio.Semaphore(MAX_CONCURRENT)

    async def find_last_seq(self, conversation_id: int, user_id: UUID) -> int | None:
        rows = await self._fetch("find_last_seq", conversation_id=conversation_id, user_id=user_id)
        return int(rows[0]["last_seq"]) if rows else None

    async def read_events(self, conversation_id: int, user_id: UUID, after_seq: int, limit: int) -> list[Event]:
        values = {"conversation_id": conversation_id, "user_id": user_id, "after_seq": after_seq, "limit": limit}
        rows = await self._fetch("read_events", **values)
        return [event_of(row) for row in rows]

    async def find_card(self, conversation_id: int, user_id: UUID) -> Card | None:
        if await self.find_last_seq(conversation_id, user_id) is None:
            return None
        rows = await self._fetch_by(cards.QUERIES["read_cards"], {"conversation_ids": [conversation_id]})
        return Card(**rows[0]) if rows else None

    async def _fetch(self, query: str, **values: object) -> list[dict[str, Any]]:
        return await self._fetch_by(_QUERIES[query], values)

    async def _fetch_by(self, query: Any, values: dict[str, Any]) -> list[dict[str, Any]]:
        try:
            async with (
                asyncio.timeout(QUERY_TIMEOUT_S),
                self._turns,
                self._pool.connection() as connection,
                connection.cursor(row_factory=dict_row) as cursor,
            ):
                await cursor.execute(query, values)
                return await cursor.fetchall()
        except (psycopg.Error, PoolTimeout, TimeoutError, OSError) as error:
            raise ConversationsUnavailable(f"{type(error).__name__}: {error}".strip()) from None
