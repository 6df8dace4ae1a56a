"""Members of a conversation. Asked by the ephemeral bridge when a room opens, and now and then again."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from realtime_bridge.shared import sql
from realtime_bridge.shared.database import Pool

_QUERIES = sql.AsyncQueries(__file__)
TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    account_id: UUID
    names: Mapping[UUID, str | None]
    """Of participants, as the project knows them."""


UNKNOWN = Membership(account_id=UUID(int=0), names={})


class StoredMembers:
    """In Postgres, through the bridge's pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find_membership(self, conversation_id: int) -> Membership | None:
        """Return who takes part; None when the database does not answer in time. Raises nothing."""
        try:
            async with asyncio.timeout(TIMEOUT_S), self._pool.connection() as connection:
                values = {"conversation_id": conversation_id}
                row = await (await connection.execute(_QUERIES["find_participants"], values)).fetchone()
        except (psycopg.Error, PoolTimeout, TimeoutError, OSError):
            return None
        if row is None:
            return None
        return Membership(account_id=row[0], names={UUID(user_id): name for user_id, name in row[1].items()})
