"""Retention of deliveries and attempts, by partitions. Made weeks ahead, dropped after the retention.

Every bridge runs one.

The retention is the event log's: a delivery without its event could not be sent.
"""

import asyncio

import psycopg
import structlog

from realtime_bridge.event_log.janitor import INTERVAL_S, RETRY_S, WEEKS_AHEAD
from realtime_bridge.shared import sql
from realtime_bridge.shared.database import Pool

log = structlog.get_logger(__name__)

_QUERIES = sql.AsyncQueries(__file__)


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
        async with self._pool.connection() as connection:
            made = await _QUERIES.find_value(connection, "ensure_partitions", **values) or 0
            dropped = await _QUERIES.find_value(connection, "drop_expired", **values) or 0
            await _QUERIES.run(connection, "drop_notices", **values)
            await _QUERIES.run(connection, "drop_secrets")
        log.info("webhook partitions kept", made=made, dropped=dropped)
        return int(made + dropped)
