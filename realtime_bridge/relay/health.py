"""Health of a sink: failures of its relay, and of the probe. The probe listens at its other end. One for each relay.

Both are runs of failed broadcasts, and the longer one is told, at once: `crossfade relay status` shows it, and the
dial's gate turns back when it is too long.
"""

import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from realtime_bridge import metrics
from realtime_bridge.event_log import leases
from realtime_bridge.event_log.cursor import Cursor
from realtime_bridge.event_log.event import Event
from realtime_bridge.event_log.leases import Lease
from realtime_bridge.metrics import DELIVERED, HIGH_WATER, HOLES, LATENCY, PARKED
from realtime_bridge.relay.sink import SinkUnavailable

FIRST_DELAY_S = 0.2  # a provider's restart behind a load balancer is often over after one retry
GROWTH = 1.5  # six failures, which are an outage to the dial's gate, take some 2.6 s: more than a hiccup
MAX_DELAY_S = 10.0  # an operator who repaired the provider waits no longer than this for the backlog to drain
OPEN_AFTER = 5  # consecutive failures: an outage, not a hiccup
JITTER = 0.2  # several bridges must not knock at the same moment
MAX_RETRY_AFTER_S = 60.0  # a provider may ask for patience, not for silence
log = structlog.get_logger(__name__)


def observe(sink: str, cursor: Cursor, settled: Sequence[Event], refused: int) -> None:
    """Note what one page did."""
    now = datetime.now(UTC)
    for event in settled:
        if event.unreadable:
            continue  # its time may be anything
        LATENCY.labels(sink).observe(max(0.0, (now - event.created_at).total_seconds()))
    DELIVERED.labels(sink).inc(len(settled) - refused)
    PARKED.labels(sink).inc(refused)
    HIGH_WATER.labels(sink).set(cursor.high_water)
    HOLES.labels(sink).set(cursor.hole_count)


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"


@dataclass(slots=True)
class Breaker:
    """Counts consecutive failures; open means that only single probes are sent until one succeeds."""

    failures: int = 0
    jitter: random.Random = field(default_factory=random.Random)

    @property
    def state(self) -> BreakerState:
        return BreakerState.OPEN if self.failures >= OPEN_AFTER else BreakerState.CLOSED

    def succeeded(self) -> bool:
        """Close it; returns whether there was anything to close."""
        had_failed, self.failures = self.failures > 0, 0
        return had_failed

    def failed(self, retry_after_s: float | None = None) -> float:
        """Count a failure; returns the seconds to wait before the next try."""
        self.failures += 1
        delay_s = min(FIRST_DELAY_S * GROWTH ** min(self.failures - 1, 16), MAX_DELAY_S)
        delay_s *= 1 + self.jitter.uniform(-JITTER, JITTER)
        return max(delay_s, min(retry_after_s or 0.0, MAX_RETRY_AFTER_S))


class SinkHealth:
    """Told by whoever finds something out; a database that is away stops nobody."""

    def __init__(self, sink: str, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self.breaker = Breaker()
        self._sink = sink
        self._pool = pool
        self._unheard = 0
        self._waiting_for: str | None = None

    @property
    def failures(self) -> int:
        """Failed broadcasts in a row, now."""
        return max(self.breaker.failures, self._unheard)

    async def failed(self, lease: Lease | None, reason: SinkUnavailable) -> float:
        """Count a failed delivery; return the seconds to wait before the next try."""
        delay_s = self.breaker.failed(reason.retry_after_s)
        metrics.FAILURES.labels(self._sink).inc()
        log.warning(
            "sink unavailable",
            sink=self._sink,
            reason=str(reason),
            failures=self.breaker.failures,
            retry_in_s=round(delay_s, 2),
        )
        await self._report(lease, error=str(reason), retry_in_s=delay_s)
        return delay_s

    async def delivered(self, lease: Lease | None) -> None:
        was_waiting, self._waiting_for = self._waiting_for, None
        if self.breaker.succeeded() or was_waiting:
            await self._report(lease)

    async def waiting(self, lease: Lease | None, reason: str) -> None:
        """Note why events wait though nothing has failed; told when that changes."""
        if reason != self._waiting_for:
            self._waiting_for = reason
            await self._report(lease)

    async def unheard(self, lease: Lease | None, count: int, reason: str) -> None:
        """Note that the last `count` probes were not heard; 0 ends the run."""
        if bool(count) != bool(self._unheard):
            log.warning("probes not heard" if count else "probes are heard again", sink=self._sink, reason=reason)
        self._unheard = count
        await self._report(lease, error=f"{count} probes in a row were not heard: {reason}" if count else None)

    def forget(self) -> None:
        """Forget what failed before: another bridge has held the sink since, so it says nothing of now."""
        self.breaker.succeeded()
        self._unheard = 0
        self._waiting_for = None
        metrics.BREAKER_OPEN.labels(self._sink).set(0)

    async def _report(self, lease: Lease | None, *, error: str | None = None, retry_in_s: float | None = None) -> None:
        metrics.BREAKER_OPEN.labels(self._sink).set(self.breaker.state is BreakerState.OPEN)
        if lease is None:
            return
        with contextlib.suppress(psycopg.Error, PoolTimeout):
            async with self._pool.connection() as connection:
                await leases.report(
                    connection,
                    lease,
                    breaker=self.breaker.state,
                    failures=self.failures,
                    retry_in_s=retry_in_s,
                    error=error,
                    waiting_for=self._waiting_for,
                )
