"""Wakeup on what Postgres tells.

For relays when the log grows, webhook senders when there are deliveries, the gate when a side fails.

What the channel says is passed on: of the log, whose account's events are new. Nothing means that anything may be.
A lost NOTIFY costs one poll interval, never an event.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import psycopg
import structlog

from realtime_bridge.shared.database import bounded

log = structlog.get_logger(__name__)

CHANNEL = "chat_events"
DELIVERIES_CHANNEL = "webhook_deliveries"
FAILURES_CHANNEL = "sink_failures"  # leases.sql
CHECK_S = 5.0  # how long a dead connection may go unnoticed; the polls carry on meanwhile
RECONNECT_S = 0.5


class Wakeup:
    """Listens on a connection of its own and calls every waker, until cancelled."""

    def __init__(self, database_url: str, wakers: Sequence[Callable[[str], None]], channel: str = CHANNEL) -> None:
        self._database_url = bounded(database_url, "wakeup")
        self._wakers = wakers
        self._channel = channel

    async def run(self) -> None:
        while True:
            with contextlib.suppress(psycopg.Error):
                await self._listen()
            log.info("wake-up connection lost, polling meanwhile")
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._database_url, autocommit=True) as connection:
            await connection.execute(psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(self._channel)))
            self._wake_all("")
            while True:
                is_silent = True
                async for notice in connection.notifies(timeout=CHECK_S, stop_after=1):
                    is_silent = False
                    self._wake_all(notice.payload)
                if is_silent:  # or dead
                    await connection.execute("select 1")

    def _wake_all(self, said: str) -> None:
        for wake in self._wakers:
            wake(said)
