"""Keep the partitions of deliveries and attempts: made weeks ahead, dropped after the retention. Every bridge runs one.

The retention is the event log's: a delivery without its event could not be sent.
"""

import asyncio

import psycopg
import structlog

from realtime_bridge import sql
from realtime_bridge.janitor import INTERVAL_S, RETRY_S, WEEKS_AHEAD
from realtime_bridge.relay import Pool

log = structlog.get_logger(__name__)

_QUERIES = sql.load(__file__)


class WebhookJanitor:
    """Does for deliveries and attempts what the janitor does for events, once an hour."""

    def __init__(self, pool: Pool, *, retention_days: int) -> None:
        self._pool = pool
        self._retention_days = retention_days

    async def run(self) -> None:
        while True:
            try:
                await self.run_once()
                await asyncio.sleep(INTERVAL_S)
            except psycopg.Error as error:
                log.warning("webhook partitions not kept", error=str(error).strip(), retry_in_s=RETRY_S)
                await asyncio.sleep(RETRY_S)

    async def run_once(self) -> int:
        """Return how many partitions were made or dropped."""
        values = {"weeks_ahead": WEEKS_AHEAD, "retention_days": self._retention_days}
        counts = []
        async with self._pool.connection() as connection:
            for query in (_QUERIES["ensure_partitions"], _QUERIES["drop_expired"]):
                row = await (await connection.execute(query, values)).fetchone()
                counts.append(row[0] if row else 0)
            await connection.execute(_QUERIES["drop_notices"], values)
            await connection.execute(_QUERIES["drop_secrets"])
        log.info("webhook partitions kept", made=counts[0], dropped=counts[1])
        return sum(counts)
