"""Upkeep beside the sockets: rates, idle and left connections, partitions."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import structlog

from ops.local_supabase.database import partitions
from ops.local_supabase.sockets.context import Context
from ops.local_supabase.sockets.socket import Socket

NORMAL = 1000  # the real server's code for a connection that has been silent too long

_log = structlog.get_logger(__name__)


class Upkeep:
    """The clockwork of one project."""

    def __init__(self, context: Context, sockets: set[Socket]) -> None:
        self._context = context
        self._sockets = sockets

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """Everything that runs until it is cancelled."""
        timings = self._context.settings.timings
        return [
            _every(timings.rate_tick_s, self._context.rates.tick),
            _every(timings.idle_sweep_s, self._close_idle),
            _every(timings.no_channel_check_s, self._drop_left),
            self._tend(timings.janitor_s),
        ]

    async def tend_partitions(self) -> None:
        """Create what is missing and drop what has expired; a failure is logged and tried again an hour later."""
        await asyncio.to_thread(self._tend_partitions)

    def _close_idle(self) -> None:
        oldest = time.monotonic() - self._context.settings.timings.idle_timeout_s
        for socket in [socket for socket in self._sockets if socket.last_frame_at < oldest]:
            socket.close_soon(NORMAL)

    def _drop_left(self) -> None:
        """Connections that have left their last channel; those that never joined are kept, as on the real server."""
        for socket in [socket for socket in self._sockets if socket in self._context.users and not socket.channels]:
            socket.drop()

    async def _tend(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self.tend_partitions()

    def _tend_partitions(self) -> None:
        try:
            with psycopg.connect(
                self._context.settings.database_url, autocommit=True, connect_timeout=10
            ) as connection:
                connection.execute("set lock_timeout = '5s'")
                made, dropped = partitions.create_missing(connection), partitions.drop_expired(connection)
        except psycopg.Error as error:
            _log.warning("partitions_not_tended", reason=str(error).strip())
        else:
            _log.info("partitions_tended", made=[day.isoformat() for day in made], dropped=dropped)


async def _every(seconds: float, act: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        act()
