"""The database transport, and the HTTP one while the probe says that the database path delivers nothing.

What went through the database since the last probe that arrived was perhaps never heard: it is sent again over HTTP,
before anything newer and under the same event ids, so clients drop what they have.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from psycopg import AsyncConnection

from realtime_bridge import metrics
from realtime_bridge.sinks.base import EventRefused, SinkNotReady
from realtime_bridge.transports.base import Broadcast, Transport

log = structlog.get_logger(__name__)

KEEP_S = 30.0  # a silent path is known within 5 s; the rest is for a bridge that was busy
KEEP = 20_000  # broadcasts; beyond it clients find the gap in seq and fetch it
KEEP_BYTES = 32_000_000  # of payloads; twenty thousand ordinary ones have half of it
SETTLE_S = 1.0  # before going back, what HTTP has accepted is given time to be heard first


@dataclass(frozen=True, slots=True)
class _Sent:
    at: float
    broadcast: Broadcast


class FallbackTransport:
    """A Transport whose `transactional` follows the path in use."""

    def __init__(self, database: Transport, http: Transport, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._http = http
        self._clock = clock
        self._uses_http = False
        self._sent: deque[_Sent] = deque()
        self._sent_bytes = 0
        self._forgetting: asyncio.TimerHandle | None = None
        self._again: deque[Broadcast] = deque()
        self._not_before = 0.0
        self._order = asyncio.Lock()  # what is sent again must not be overtaken

    @property
    def transactional(self) -> bool:
        return not self._uses_http

    @property
    def max_batch(self) -> int:
        return (self._http if self._uses_http else self._database).max_batch

    @property
    def waiting(self) -> int:
        """Broadcasts that are to be sent again."""
        return len(self._again)

    def use_http(self, heard_until: float) -> None:
        """Change over; what was sent after `heard_until` (of this transport's clock) is sent again."""
        if self._uses_http:
            return
        self._uses_http = True
        self._again.extend(sent.broadcast for sent in self._sent if sent.at >= heard_until)
        self._sent.clear()
        self._sent_bytes = 0
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
        """For probes: they measure the path, not what waits before it. Raises SinkNotReady while HTTP is not in use."""
        if not self._uses_http:
            raise _database_in_use()
        await self._http.send(broadcasts, None)

    async def close(self) -> None:
        if self._forgetting:
            self._forgetting.cancel()
        await self._database.close()
        await self._http.close()

    async def _send_to_database(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any]) -> None:
        if self._uses_http:
            raise SinkNotReady("The HTTP path is in use now.", 0.01)
        if (wait_s := self._not_before - self._clock()) > 0:
            raise SinkNotReady("What went over HTTP is being delivered.", wait_s)
        await self._database.send(broadcasts, connection)
        now = self._clock()
        self._sent.extend(_Sent(now, broadcast) for broadcast in broadcasts)
        self._sent_bytes += sum(broadcast.payload_bytes for broadcast in broadcasts)
        self.forget()
        if self._forgetting is None:
            self._forgetting = asyncio.get_running_loop().call_later(KEEP_S, self._forget_later)

    def forget(self) -> None:
        """Give up what is too old, or too much, to be sent again."""
        oldest = self._clock() - KEEP_S
        sent = self._sent
        while sent and (sent[0].at < oldest or len(sent) > KEEP or self._sent_bytes > KEEP_BYTES):
            self._sent_bytes -= sent.popleft().broadcast.payload_bytes

    def _forget_later(self) -> None:
        """Forget also when nothing more is sent: what a burst left would be held for ever."""
        self._forgetting = None
        self.forget()
        if self._sent:
            self._forgetting = asyncio.get_running_loop().call_later(KEEP_S, self._forget_later)

    async def send_again(self) -> None:
        """Send what was perhaps not heard; raises SinkUnavailable, and then the rest waits for the next call.

        A batch that is refused is given up: its events are in the log.
        """
        async with self._order:
            await self._send_again()

    async def _send_again(self) -> None:
        while self._again:
            batch = [self._again[index] for index in range(min(len(self._again), self._http.max_batch))]
            try:
                await self._http.send(batch, None)
            except EventRefused as reason:
                log.warning("not sent again", count=len(batch), reason=str(reason))
            for _ in batch:
                self._again.popleft()


def _database_in_use() -> SinkNotReady:
    return SinkNotReady("The database path is in use again.", 0.01)
