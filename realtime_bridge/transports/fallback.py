"""The database transport, and the HTTP one while the probe says that the database path delivers nothing.

What went through the database since the last probe that arrived was perhaps never heard: it is sent again over HTTP,
before anything newer and under the same event ids, so clients drop what they have.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog
from psycopg import AsyncConnection

from realtime_bridge import metrics
from realtime_bridge.sinks.base import SinkNotReady
from realtime_bridge.transports.base import Broadcast, Transport
from realtime_bridge.transports.refusals import send_all_but_refused
from realtime_bridge.transports.sent import SentLately

log = structlog.get_logger(__name__)

SETTLE_S = 1.0  # before going back, what HTTP has accepted is given time to be heard first


class DatabasePath(Transport, Protocol):
    """What is needed of `database.DatabaseTransport`."""

    is_held: bool
    sent: SentLately

    @property
    def must_send_again(self) -> bool: ...

    def heard_until(self, at: float) -> None: ...

    async def look(self, connection: AsyncConnection[Any]) -> bool: ...

    async def send_again(self, connection: AsyncConnection[Any]) -> int: ...


class FallbackTransport:
    """A Transport whose `transactional` follows the path in use."""

    def __init__(self, database: DatabasePath, http: Transport, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.database = database
        self._http = http
        self._clock = clock
        self._uses_http = False
        self._again: deque[Broadcast] = deque()
        self._not_before = 0.0
        self._order = asyncio.Lock()  # what is sent again must not be overtaken

    @property
    def transactional(self) -> bool:
        return not self._uses_http

    @property
    def max_batch(self) -> int:
        return (self._http if self._uses_http else self.database).max_batch

    def heard_until(self, at: float) -> None:
        """What went through the database before has come out of Supabase."""
        self.database.heard_until(at)

    def hold(self, *, is_silent: bool) -> None:
        """While nothing comes out, and HTTP is no way out either, events wait in the log: there they are kept."""
        self.database.is_held = is_silent

    @property
    def waiting(self) -> int:
        """Broadcasts that are to be sent again."""
        return len(self._again)

    def use_http(self, heard_until: float) -> None:
        """Change over; what was sent after `heard_until` (of this transport's clock) is sent again."""
        if self._uses_http:
            return
        self._uses_http = True
        self.database.heard_until(heard_until)
        self._again.extend(self.database.sent.take())
        self.database.is_held = False
        metrics.FALLBACK.set(1)
        log.warning("Supabase is reached over HTTP now", resending=len(self._again))

    def use_database(self) -> None:
        """Change back."""
        if self._uses_http:
            self._uses_http = False
            self._not_before = self._clock() + SETTLE_S
            metrics.FALLBACK.set(0)
            log.info("Supabase is reached through the database again")

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None) -> None:
        """Send over the path that the caller is prepared for: a connection means the database."""
        if connection is not None:
            await self._send_to_database(broadcasts, connection)
        elif self._uses_http:
            await self.send_again()
            async with self._order:
                await self._http.send(broadcasts, None)
        else:
            raise _database_in_use()

    async def send_out_of_order(self, broadcasts: Sequence[Broadcast]) -> None:
        """For probes: they measure HTTP, whichever path is in use, and not what waits to go over it."""
        await self._http.send(broadcasts, None)

    async def close(self) -> None:
        await self.database.close()
        await self._http.close()

    async def _send_to_database(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any]) -> None:
        if self._uses_http:
            raise SinkNotReady("The HTTP path is in use now.", 0.01)
        if (wait_s := self._not_before - self._clock()) > 0:
            raise SinkNotReady("What went over HTTP is being delivered.", wait_s)
        await self.database.send(broadcasts, connection)

    async def send_again(self) -> None:
        """Send what was perhaps not heard; raises SinkUnavailable, and then the rest waits for the next call.

        What is refused for ever is given up, alone: it is in the log.
        """
        async with self._order:
            await self._send_again()

    async def _send_again(self) -> None:
        while self._again:
            batch = [self._again[index] for index in range(min(len(self._again), self._http.max_batch))]
            refused = await send_all_but_refused(self._post, batch)
            if refused:
                log.warning("not sent again", count=len(refused), reason=next(iter(refused.values())))
            for _ in batch:
                self._again.popleft()

    async def _post(self, broadcasts: Sequence[Broadcast]) -> None:
        await self._http.send(broadcasts, None)


def _database_in_use() -> SinkNotReady:
    return SinkNotReady("The database path is in use again.", 0.01)
