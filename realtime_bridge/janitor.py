"""What time brings: the log's partitions are made and dropped, and conversations wake. Every bridge runs one."""

import asyncio

import psycopg
import structlog

from realtime_bridge import sql
from realtime_bridge.relay import Pool

log = structlog.get_logger(__name__)

_QUERIES = sql.load(__file__)
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
            row = await (await connection.execute(_QUERIES["wake_conversations"], {"at_most": WAKE_AT_MOST})).fetchone()
        return int(row[0]) if row else 0

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
            made = await (
                await connection.execute(_QUERIES["ensure_partitions"], {"weeks_ahead": WEEKS_AHEAD})
            ).fetchone()
            kept = {"retention_days": self._retention_days}
            age = await (await connection.execute(_QUERIES["find_age_to_keep"], kept)).fetchone()
            dropped = await (
                await connection.execute(_QUERIES["drop_expired"], {"age": age[0] if age else None})
            ).fetchone()
            while (await connection.execute(_QUERIES["forget_answers"], {"at_most": FORGET_AT_MOST})).rowcount > 0:
                pass
        counts = (made[0] if made else 0, dropped[0] if dropped else 0)
        log.info("event partitions kept", made=counts[0], dropped=counts[1])
        return sum(counts)
