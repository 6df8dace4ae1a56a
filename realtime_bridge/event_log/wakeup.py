"""Wakeup on what Postgres tells, and on the log's growth.

For relays when the log grows, webhook senders when there are deliveries, the gate when a side fails, and who carries
signs of typing.

What a channel says is passed on: of the log, whose account's events are new. Nothing means that anything may be.
An event has its id before it is committed, so whoever has dealt with all ids given out so far has missed nothing: the
sequence is looked at often, and the log only by whom that concerns. A lost NOTIFY costs one look, never an event.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

import psycopg
import structlog
from psycopg import AsyncConnection, sql

from realtime_bridge.shared.database import bounded, configure

log = structlog.get_logger(__name__)

CHANNEL = "chat_events"
DELIVERIES_CHANNEL = "webhook_deliveries"
FAILURES_CHANNEL = "sink_failures"  # leases.sql
NEWEST = "select coalesce(pg_sequence_last_value('public.chat_events_id_seq'), 0)"  # USAGE is enough
LOOK_S = 0.1
RECONNECT_S = 0.5
Wake = Callable[[str], None]


class Wakeup:
    """Listens on a connection of its own until cancelled.

    `wakers` are called with what their channel says, `growers` at every look with the newest id that was given out.
    """

    def __init__(
        self, database_url: str, wakers: dict[str, Sequence[Wake]], growers: Sequence[Callable[[int], None]] = ()
    ) -> None:
        self.wakers = wakers
        self._database_url = bounded(database_url, "wakeup")
        self._growers = growers

    async def run(self) -> None:
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                log.warning("wake-up connection lost, polling meanwhile", error=str(error).strip())
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        async with await AsyncConnection.connect(self._database_url, autocommit=True) as connection:
            await configure(connection)
            for channel in self.wakers:
                await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
            for channel in self.wakers:
                self._wake(channel, "")
            while True:
                look_at = time.monotonic() + LOOK_S
                await self._look(connection)
                while (wait_s := look_at - time.monotonic()) > 0:
                    async for notice in connection.notifies(timeout=wait_s, stop_after=1):
                        self._wake(notice.channel, notice.payload)

    async def _look(self, connection: AsyncConnection) -> None:
        (newest,) = await (await connection.execute(NEWEST)).fetchone() or (0,)
        for grown in self._growers:
            grown(newest)

    def _wake(self, channel: str, said: str) -> None:
        for wake in self.wakers[channel]:
            wake(said)
