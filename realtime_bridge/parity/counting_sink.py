"""A sink that counts: every try to deliver an event, and every failed one. Wraps a sink where relays are made."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection

from realtime_bridge import metrics
from realtime_bridge.event_log.event import Event
from realtime_bridge.relay.sink import Delivery, Sink, SinkNotReady, SinkUnavailable
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate import latency
from realtime_bridge.rollout.gate.slots import Sample
from realtime_bridge.shared.canary_user import CANARY_ID

FORGET_AFTER_S = 75.0  # the longest back-off is a minute; later the side was not fed meanwhile, and a run ends


class CountedSink:
    """Delivers like the sink inside. A run of failures belongs to the slots in which its calls failed."""

    def __init__(
        self,
        inner: Sink,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`now` is the database's time (fleet/clock.py)."""
        self.inner = inner
        self._clock = clock
        self._now = now
        self._delivered_ms: list[float] = []
        self._failed_at = float("-inf")
        self.name = inner.name
        self._attempts = 0
        self._errors = 0
        self._consecutive = 0
        self._worst = 0

    @property
    def transactional(self) -> bool:
        return self.inner.transactional

    def resume(self, *, is_left: bool) -> None:
        """Go on after somebody else delivered: that ended whatever run of failures was ours."""
        self._consecutive = 0
        self.inner.resume(is_left=is_left)

    async def deliver(self, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
        try:
            delivery = await self.inner.deliver(events, connection)
        except SinkNotReady:
            raise
        except SinkUnavailable:
            self._count(0, failed=len(events))
            raise
        is_failure = delivery.unavailable and not isinstance(delivery.unavailable, SinkNotReady)
        failed = len(events) - delivery.settled if is_failure else 0
        self._count(delivery.settled - len(delivery.refused), failed=failed + len(delivery.refused))
        if delivery.settled and not delivery.unavailable:
            self._consecutive = 0
        return delivery

    def passed(self, events: Sequence[Event]) -> None:
        """Note how old everybody's events are, now that they are delivered; the canary counts its own."""
        now = self._now()
        ages = [now - event.created_at for event in events if event.account_id != CANARY_ID]
        self._delivered_ms += [max(0.0, age.total_seconds() * 1_000) for age in ages]

    def take(self) -> Sample:
        """Return what was counted since the last call."""
        sample = Sample(
            side=Side(self.name),
            attempts=self._attempts,
            errors=self._errors,
            consecutive_failures=self._worst,
            delivered_counts=latency.histogram(self._delivered_ms),
        )
        self._delivered_ms.clear()
        self._attempts = self._errors = self._worst = 0
        return sample

    def _count(self, delivered: int, *, failed: int) -> None:
        self._attempts += delivered + failed
        self._errors += failed
        metrics.BROADCAST_SUCCESS.labels(self.name).inc(delivered)
        metrics.BROADCAST_FAILURE.labels(self.name).inc(failed)
        if failed:
            now = self._clock()
            self._consecutive = 1 if now - self._failed_at > FORGET_AFTER_S else self._consecutive + 1
            self._failed_at = now
            self._worst = max(self._worst, self._consecutive)
