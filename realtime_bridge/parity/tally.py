"""Tally of a side: tries to deliver, failed ones, ages of events."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from realtime_bridge import metrics
from realtime_bridge.event_log.event import Event
from realtime_bridge.relay.sink import Delivery, SinkNotReady
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate import latency
from realtime_bridge.rollout.gate.slots import Sample
from realtime_bridge.shared.canary_user import CANARY_ID

FORGET_AFTER_S = 75.0  # the longest back-off is a minute; later the side was not fed meanwhile, and a run ends


@dataclass(eq=False, repr=False)
class Tally:
    """A Listener of the side's relay. A run of failures belongs to the slots in which its calls failed."""

    side: Side
    clock: Callable[[], float] = field(default=time.monotonic, kw_only=True)
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), kw_only=True)
    """The database's time (fleet/clock.py)."""
    _delivered_ms: list[float] = field(default_factory=list)
    _failed_at: float = float("-inf")
    _attempts: int = 0
    _errors: int = 0
    _consecutive: int = 0
    _worst: int = 0

    def resumed(self) -> None:
        """Somebody else delivered: that ended whatever run of failures was ours."""
        self._consecutive = 0

    def tried(self, events: int, delivery: Delivery) -> None:
        """Note what a call of the sink's came to; that it asks for a moment's patience is nothing."""
        is_failure = delivery.unavailable and not isinstance(delivery.unavailable, SinkNotReady)
        failed = events - delivery.settled if is_failure else 0
        self._count(delivery.settled - len(delivery.refused), failed=failed + len(delivery.refused))
        if delivery.settled and not delivery.unavailable:
            self._consecutive = 0

    def passed(self, events: Sequence[Event]) -> None:
        """Note how old everybody's events are, now that they are delivered; the canary counts its own."""
        now = self.now()
        ages = [now - event.created_at for event in events if event.account_id != CANARY_ID]
        self._delivered_ms += [max(0.0, age.total_seconds() * 1_000) for age in ages]

    def take(self) -> Sample:
        """Return what was counted since the last call."""
        sample = Sample(
            side=self.side,
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
        metrics.BROADCAST_SUCCESS.labels(self.side).inc(delivered)
        metrics.BROADCAST_FAILURE.labels(self.side).inc(failed)
        if failed:
            now = self.clock()
            self._consecutive = 1 if now - self._failed_at > FORGET_AFTER_S else self._consecutive + 1
            self._failed_at = now
            self._worst = max(self._worst, self._consecutive)
