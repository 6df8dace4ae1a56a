"""When to try a failing sink again. Pure; the relay keeps one breaker for each sink."""

import random
from dataclasses import dataclass, field
from enum import StrEnum

FIRST_DELAY_S = 0.2  # a provider's restart behind a load balancer is often over after one retry
GROWTH = 1.5  # six failures, which are an outage to the dial's gate, take some 2.6 s: more than a hiccup
MAX_DELAY_S = 10.0  # an operator who repaired the provider waits no longer than this for the backlog to drain
OPEN_AFTER = 5  # consecutive failures: an outage, not a hiccup
JITTER = 0.2  # several bridges must not knock at the same moment
MAX_RETRY_AFTER_S = 60.0  # a provider may ask for patience, not for silence


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
