"""Transport by rows of `realtime.messages`, in the cursor's transaction. Committed together, exactly once.

`realtime.send` would write the same rows under ids that nobody knows before, and turns every error into a WARNING. And
Realtime broadcasts only what is written while its replication slot is there: each write says who reads, and is undone
when that is nobody, or somebody new who has missed what was written before.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from realtime_bridge.relay.sink import SinkUnavailable
from realtime_bridge.shared import sql
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.transport import Broadcast, Transport

_QUERIES = sql.AsyncQueries(__file__)
MAX_BATCH = 500  # rows a statement: the measured knee
PASSING_ERRORS = (
    psycopg.errors.CheckViolation,  # no partition for today
    psycopg.errors.LockNotAvailable,
    psycopg.ProgrammingError,  # no such table, or not allowed
    psycopg.NotSupportedError,
)
"""About the database as a whole: repairing it makes the same message go through."""


class DatabaseTransport:
    """Sends through the relay's own connection. Needs the chat tables to live in the Supabase database.

    `http`, where there is one, stands behind it: it takes over while the way leads over it (see `Way.use_http`).
    """

    def __init__(self, way: Way | None = None, http: Transport | None = None) -> None:
        self._way = way or Way()
        self._http = http

    @property
    def transactional(self) -> bool:
        return self._http is None or not self._way.over_http

    @property
    def max_batch(self) -> int:
        return self._http.max_batch if self._http and self._way.over_http else MAX_BATCH

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None) -> None:
        """Write through `connection`, whose transaction is void when this fails; without one, post."""
        if connection is None:
            if self._http is None:
                raise SinkUnavailable("The database transport works only inside the relay's transaction.")
            await self._http.send(broadcasts, None)
            return
        readers = await _write(connection, broadcasts)
        if not all(broadcast.is_hint for broadcast in broadcasts):
            self._way.read_by(readers)
            self._way.check()

    async def close(self) -> None:
        """The connection is the relay's."""
        if self._http:
            await self._http.close()


async def find_readers(connection: AsyncConnection[Any]) -> Sequence[str]:
    """Return who reads the rows now; raises SinkUnavailable where no row could be written either."""
    return await _write(connection, ())


async def _write(connection: AsyncConnection[Any], broadcasts: Sequence[Broadcast]) -> Sequence[str]:
    """Return who reads what is written. Raises SinkUnavailable."""
    values = {
        "ids": [broadcast.id for broadcast in broadcasts],
        "payloads": [Jsonb(broadcast.payload) for broadcast in broadcasts],
        "events": [broadcast.event for broadcast in broadcasts],
        "topics": [broadcast.topic for broadcast in broadcasts],
    }
    try:
        return await _QUERIES.find_value(connection, "send", **values) or ()
    except PASSING_ERRORS as error:
        raise SinkUnavailable(f"realtime.messages: {error}") from error
