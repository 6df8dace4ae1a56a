"""Janitor of the log: partitions, and conversations that wake. Every bridge runs one."""

import asyncio

import psycopg
import structlog

from realtime_bridge.shared import sql
from realtime_bridge.shared.database import Pool

log = structlog.get_logger(__name__)

_QUERIES = sql.AsyncQueries(__file__)
WEEKS_AHEAD = 4  # the bridge may be off for a month before rows land in the default partition
INTERVAL_S = 3_600.0
FORGET_AT_MOST = 5_000  # rows of one statement: some milliseconds
RETRY_S = 60.0
WAKE_S = 5.0  # how late a snoozed conversation may open; asking costs an index lookup
WAKE_AT_MOST = 100  # in one transaction, so that a Monday morning locks few rows at a time


class Janitor:
    """Makes and drops partitions once an hour, and always says what it did. Wakes conversations every few seconds."""

    def __init__(self, pool: Pool, *, retention_days: int) -> None:
        self._pool = pool
        self._retention_days = retention_days

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_partitions())
            group.create_task(self._wake_conversations())

    async def wake_once(self) -> int:
        """Open what has slept long enough; return how many conversations that were."""
        async with self._pool.connection() as connection:
            return int(await _QUERIES.find_value(connection, "wake_conversations", at_most=WAKE_AT_MOST) or 0)

    async def _wake_conversations(self) -> None:
        while True:
            try:
                while await self.wake_once() == WAKE_AT_MOST:
                    pass
                await asyncio.sleep(WAKE_S)
            except psycopg.Error as error:
                log.warning("conversations not woken", error=str(error).strip(), retry_in_s=RETRY_S)
                await asyncio.sleep(RETRY_S)

    async def _keep_partitions(self) -> None:
        while True:
            try:
                await self.run_once()
                await asyncio.sleep(INTERVAL_S)
            except psycopg.Error as error:
                log.warning("partitions not kept", error=str(error).strip(), retry_in_s=RETRY_S)
                await asyncio.sleep(RETRY_S)

    async def run_once(self) -> int:
        """Return how many partitions were made or dropped."""
        async with self._pool.connection() as connection:
            made = await _QUERIES.find_value(connection, "ensure_partitions", weeks_ahead=WEEKS_AHEAD) or 0
            age = await _QUERIES.find_value(connection, "find_age_to_keep", retention_days=self._retention_days)
            dropped = await _QUERIES.find_value(connection, "drop_expired", age=age) or 0
            while await _QUERIES.run(connection, "forget_answers", at_most=FORGET_AT_MOST) > 0:
                pass
        log.info("event partitions kept", made=made, dropped=dropped)
        return int(made + dropped)
