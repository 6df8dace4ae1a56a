"""Conversations for the legacy sockets: who may listen, what was missed. Called on subscribe; only reads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from cachetools import LRUCache
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import PoolTimeout

from realtime_bridge.event_log.event import Event
from realtime_bridge.event_log.reading import event_of
from realtime_bridge.legacy.cards import Card, find_cards
from realtime_bridge.legacy.pace import REMEMBERED
from realtime_bridge.shared import sql
from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.shares import QueueFull, TaskQueue
from realtime_bridge.shared.tokens import Claims

QUERY_TIMEOUT_S = 5.0  # a client waits for its acknowledgement; later it would ask again anyway
MAX_CONCURRENT = 4  # reconnecting clients must leave connections to the relays that share the pool
MAX_WAITING = 20_000  # one for each socket that there may be (door.py)

_QUERIES = sql.AsyncQueries(__file__)


class ConversationsUnavailable(Exception):
    """The database did not answer in time; the client is told to try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What a user may not have heard of a conversation, for the bridge died to which he was connected."""

    after_seq: int
    """The last that was surely sent to him."""
    told_seq: int
    """The last that no relay will tell once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a conversation's log ends, and whose it is."""

    last_seq: int
    account_id: UUID
    lost: Lost | None = None


class Turns:
    """A few of the pool's connections, for what clients ask."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._queue = TaskQueue(MAX_CONCURRENT, MAX_WAITING)

    @asynccontextmanager
    async def connection(self, owner: UUID) -> AsyncIterator[AsyncConnection[Any]]:
        """Hold a connection when it is the owner's turn. Raises ConversationsUnavailable, also within the block."""
        try:
            async with (
                asyncio.timeout(QUERY_TIMEOUT_S),
                self._queue.place(owner),
                self._pool.connection() as connection,
            ):
                yield connection
        except (psycopg.Error, PoolTimeout, TimeoutError, OSError, QueueFull) as error:
            raise ConversationsUnavailable(f"{type(error).__name__}: {error}".strip()) from None


class StoredConversations:
    """Conversations in Postgres; `bridge` is the name under which the bridge reports.

    Raises nothing but ConversationsUnavailable.
    """

    def __init__(self, pool: Pool, bridge: str = "") -> None:
        self._bridge = bridge
        self._turns = Turns(pool)
        self._accounts: LRUCache[UUID, UUID] = LRUCache(REMEMBERED)
        """Whose conversations a user asked for last: with them the user shares turns."""

    async def find_place(self, conversation_id: int, claims: Claims) -> Place | None:
        """Return where the log ends, or None when the conversation is unknown or the user takes no part in it."""
        rows = await self._fetch("find_place", claims, conversation_id=conversation_id, bridge=self._bridge)
        if not rows:
            return None
        row = rows[0]
        self._accounts[claims.user_id] = row["account_id"]
        lost = Lost(after_seq=row["after_seq"], told_seq=row["told_seq"]) if row["after_seq"] is not None else None
        return Place(last_seq=row["last_seq"], account_id=row["account_id"], lost=lost)

    async def read_events(self, conversation_id: int, claims: Claims, after_seq: int, limit: int) -> list[Event]:
        """Return up to `limit` events after `after_seq`, in seq order; none to a user who takes no part by now."""
        values = {"conversation_id": conversation_id, "after_seq": after_seq, "limit": limit}
        return [event_of(row) for row in await self._fetch("read_events", claims, **values)]

    async def find_card(self, conversation_id: int, claims: Claims) -> Card | None:
        """Return how the conversation stands now; None when it is gone, or the user takes no part by now."""
        if await self.find_place(conversation_id, claims) is None:
            return None
        async with self._connection(claims.user_id) as connection:
            return (await find_cards(connection, [conversation_id])).get(conversation_id)

    async def _fetch(self, query: str, claims: Claims, **values: object) -> list[dict[str, Any]]:
        values |= {"user_id": claims.user_id, "issued_at": claims.issued_at}
        async with self._connection(claims.user_id) as connection:
            return await _QUERIES.list_rows(connection, query, dict_row, **values)

    def _connection(self, user_id: UUID) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
        return self._turns.connection(self._accounts.get(user_id, user_id))
