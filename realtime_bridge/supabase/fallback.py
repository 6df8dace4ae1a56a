"""The database transport, and the HTTP one while the way leads over it: see `Way.use_http`."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.transport import Broadcast, Transport


class FallbackTransport:
    """A Transport whose `transactional` follows the path in use."""

    def __init__(self, way: Way, database: Transport, http: Transport) -> None:
        self._way = way
        self._database = database
        self._http = http

    @property
    def transactional(self) -> bool:
        return not self._way.over_http

    @property
    def max_batch(self) -> int:
        return (self._http if self._way.over_http else self._database).max_batch

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None) -> None:
        """Send over the path that the caller is prepared for: a connection means the database."""
        await (self._database if connection else self._http).send(broadcasts, connection)

    async def close(self) -> None:
        await self._database.close()
        await self._http.close()
