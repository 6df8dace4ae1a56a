"""Looks for Realtime's return, and has sent again what it has perhaps not heard. Started by `__main__`.

The relay looks before each page; but the last messages before a pause would wait for the next one. So somebody looks
as long as there is something unheard.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from realtime_bridge import metrics
from realtime_bridge.sinks.base import SinkError
from realtime_bridge.transports.database import DatabaseTransport
from realtime_bridge.transports.fallback import DatabasePath, FallbackTransport

log = structlog.get_logger(__name__)

POLL_S = 0.25  # one look at a view of a few rows, while something is unheard
TIMEOUT_S = 10.0


class SendsAgain:
    """`is_wanted`: this bridge delivers to Supabase now. `tell` gets how many broadcasts were sent again."""

    def __init__(
        self,
        *,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        transport: DatabaseTransport | FallbackTransport,
        is_wanted: Callable[[], bool],
        tell: Callable[[int], Awaitable[None]],
    ) -> None:
        self._pool = pool
        self._transport = transport
        self._is_wanted = is_wanted
        self._tell = tell

    async def run(self) -> None:
        """Look until cancelled; a database that is away stops nothing."""
        while True:
            try:
                await self.run_once()
            except (psycopg.Error, PoolTimeout, OSError, TimeoutError, SinkError) as error:
                log.info("not sent again yet", error=str(error).strip())
            await asyncio.sleep(POLL_S)

    async def run_once(self) -> int:
        """Return how many broadcasts were sent again."""
        if not self._is_wanted():
            return 0
        transport = self._transport
        if isinstance(transport, FallbackTransport) and not transport.transactional:
            count = await _over_http(transport)
        else:
            count = await self._through_database(
                transport.database if isinstance(transport, FallbackTransport) else transport
            )
        if count:
            metrics.SENT_AGAIN.inc(count)
            log.warning("what Realtime has perhaps not heard was sent again", count=count)
            await self._tell(count)
        return count

    async def _through_database(self, database: DatabasePath) -> int:
        if not database.sent.count:
            return 0
        async with asyncio.timeout(TIMEOUT_S), self._pool.connection() as connection:
            await database.look(connection)
            return await database.send_again(connection) if database.must_send_again else 0


async def _over_http(fallback: FallbackTransport) -> int:
    """Do not wait for the next event; what HTTP does not take now waits for the next look."""
    count = fallback.waiting
    if count:
        await fallback.send_again()
    return count
