"""Lag of each sink behind the log, for every bridge's metrics."""

import asyncio
from collections.abc import Callable

import psycopg
import structlog
from psycopg.rows import dict_row
from psycopg_pool import PoolTimeout

from realtime_bridge import metrics
from realtime_bridge.shared import sql
from realtime_bridge.shared.database import Pool

log = structlog.get_logger(__name__)
_QUERIES = sql.AsyncQueries(__file__)
INTERVAL_S = 5.0  # a third of Prometheus' usual interval


class Lag:
    """Sets the gauges; `connections` returns how many sockets each side has open now."""

    def __init__(self, pool: Pool, connections: Callable[[], dict[str, int]]) -> None:
        self._pool = pool
        self._connections = connections

    async def run(self) -> None:
        while True:
            try:
                await self.run_once()
            except (psycopg.Error, PoolTimeout, OSError) as error:
                log.info("lag not measured", error=str(error).strip())
            await asyncio.sleep(INTERVAL_S)

    async def run_once(self) -> int:
        """Return how many sinks there are."""
        for side, count in self._connections().items():
            metrics.CONNECTIONS.labels(side).set(count)
        async with self._pool.connection() as connection:
            rows = await _QUERIES.list_rows(connection, "read", dict_row)
        for row in rows:
            metrics.LAG_EVENTS.labels(row["sink"]).set(row["events"])
            metrics.LAG_SECONDS.labels(row["sink"]).set(row["seconds"])
            metrics.PARKED_NOW.labels(row["sink"]).set(row["parked"])
            metrics.CONSECUTIVE_FAILURES.labels(row["sink"]).set(row["consecutive_failures"])
        return len(rows)
