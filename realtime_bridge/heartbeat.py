"""The report of what this bridge does, every two seconds and at once when the dial moves. Started by `__main__`."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from realtime_bridge import reports
from realtime_bridge.database_clock import DatabaseClock
from realtime_bridge.relay import Pool, Relay
from realtime_bridge.reports import Report
from realtime_bridge.sinks.base import SinkNotReady

log = structlog.get_logger(__name__)

INTERVAL_S = 2.0  # as leases are renewed
FORGET_EVERY = 1_800  # heartbeats: once an hour
LEAVE_S = 2.0  # a database that is away learns of the end by the silence


class Heartbeat:
    """`state` and `sockets` (of each user, now) are asked for each report."""

    def __init__(
        self,
        *,
        pool: Pool,
        state: Callable[[], Report],
        sockets: Callable[[], Mapping[UUID, int]],
        clock: DatabaseClock,
    ) -> None:
        self._pool = pool
        self._state = state
        self._sockets = sockets
        self._clock = clock
        self._noted: dict[UUID, int] = {}
        self._beats = 0
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Say that there is something to report."""
        self._news.set()

    async def run(self) -> None:
        """Report until cancelled, and take leave; survives every failure of the database."""
        try:
            while True:
                try:
                    await self.run_once()
                except (psycopg.Error, PoolTimeout, OSError) as error:
                    log.info("not reported", error=str(error).strip())
                await self._wait()
        finally:
            with contextlib.suppress(psycopg.Error, PoolTimeout, OSError, TimeoutError):
                async with asyncio.timeout(LEAVE_S), self._pool.connection() as connection:
                    await reports.leave(connection, self._state().bridge)

    async def run_once(self) -> int:
        """Report once; return of how many users something was new."""
        state = self._state()
        sockets = reports.without_canary(self._sockets())
        news = {user: count for user, count in sockets.items() if self._noted.get(user) != count}
        news |= dict.fromkeys(self._noted.keys() - sockets.keys(), 0)
        async with self._pool.connection() as connection:
            asked_at = datetime.now(UTC)
            self._clock.correct(await reports.report(connection, state), asked_at, datetime.now(UTC))
            await reports.note_listeners(connection, state.bridge, news)
            if self._beats % FORGET_EVERY == 0:
                await reports.forget(connection)
        self._noted = sockets
        self._beats += 1
        return len(news)

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), INTERVAL_S)
        self._news.clear()


def fed_sinks(relays: Iterable[Relay]) -> list[str]:
    """Return which sinks get what comes, if their lease is here; none as long as the dial is unknown."""
    fed = []
    for relay in relays:
        with contextlib.suppress(SinkNotReady):
            if relay.feed.is_open:
                fed.append(relay.sink.name)
    return fed
