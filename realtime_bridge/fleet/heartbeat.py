"""Heartbeat of this bridge: a report, and one more at each change.

Every two seconds, and at once when the dial moves.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from realtime_bridge.fleet import reports
from realtime_bridge.fleet.clock import DatabaseClock
from realtime_bridge.fleet.reports import Report
from realtime_bridge.fleet.sockets import NONE, Sockets
from realtime_bridge.relay.loop import Relay
from realtime_bridge.relay.sink import SinkNotReady
from realtime_bridge.shared.canary_user import CANARY_ID
from realtime_bridge.shared.database import Pool

log = structlog.get_logger(__name__)

INTERVAL_S = 2.0  # as leases are renewed
FORGET_EVERY = 1_800  # heartbeats: once an hour
LEAVE_S = 2.0  # a database that is away learns of the end by the silence


class Heartbeat:
    """Asked for each report: `state`, `sockets` (of each user, now) and `take_gone` (whose old ones went since)."""

    def __init__(
        self,
        *,
        pool: Pool,
        state: Callable[[], Report],
        sockets: Callable[[], Mapping[UUID, Sockets]],
        take_gone: Callable[[], set[UUID]],
        clock: DatabaseClock,
    ) -> None:
        self._pool = pool
        self._state = state
        self._sockets = sockets
        self._take_gone = take_gone
        self._gone: set[UUID] = set()
        self._clock = clock
        self._noted: dict[UUID, Sockets] = {}
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
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), INTERVAL_S)
                self._news.clear()
        finally:
            with contextlib.suppress(psycopg.Error, PoolTimeout, OSError, TimeoutError):
                async with asyncio.timeout(LEAVE_S), self._pool.connection() as connection:
                    await reports.leave(connection, self._state().bridge)

    async def run_once(self) -> int:
        """Report once; return of how many users something was new."""
        state = self._state()
        sockets = {user: counts for user, counts in self._sockets().items() if user != CANARY_ID}
        news = {user: counts for user, counts in sockets.items() if self._noted.get(user) != counts}
        self._gone = (self._gone | self._take_gone()) - {CANARY_ID}
        news |= {user: sockets.get(user, NONE) for user in (self._noted.keys() - sockets.keys()) | self._gone}
        async with self._pool.connection() as connection:
            asked_at = datetime.now(UTC)
            self._clock.correct(await reports.report(connection, state), asked_at, datetime.now(UTC))
            await reports.note_listeners(connection, state.bridge, news, self._gone)
            if self._beats % FORGET_EVERY == 0:
                await reports.forget(connection)
        self._noted, self._gone = sockets, set()
        self._beats += 1
        return len(news)


class Feeds:
    """What each sink is fed, and since when, as the relays' feeds say; unknown (as long as the dial is) is not fed."""

    def __init__(self, relays: Sequence[Relay], clock: DatabaseClock) -> None:
        self._relays = relays
        self._clock = clock
        self._states: dict[str, dict[str, Any]] = {}

    def look(self) -> dict[str, dict[str, Any]]:
        for relay in self._relays:
            is_fed, before = _is_fed(relay), self._states.get(relay.sink.name)
            if before is None or before["isFed"] is not is_fed:
                self._states[relay.sink.name] = {"isFed": is_fed, "since": self._clock.now().isoformat()}
        return dict(self._states)


def _is_fed(relay: Relay) -> bool:
    try:
        return relay.feed.is_open
    except SinkNotReady:
        return False
