"""What the relay asks of a sink. A sink delivers events and knows nothing of cursors, leases or retries.

SinkError
├── SinkUnavailable   the other side takes nothing now: the batch waits, the breaker counts
│   └── SinkNotReady  it is expected to be back in a moment: the batch waits, nothing is counted
│       └── SinkOverRate  it takes no more for now than it has been given
└── EventRefused      this event can never be delivered: it is parked, its neighbours go on
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from psycopg import AsyncConnection

from realtime_bridge.event_log.event import Event

SINKS = ("supabase", "legacy", "webhooks", "wuzapi")  # each has a row in relay_cursors and a class in this package


class SinkError(Exception):
    """Base of what a sink may raise or report; the text is shown by `crossfade relay status`."""


class SinkUnavailable(SinkError):
    """Nothing can be delivered now. `retry_after_s` is the other side's own wish, if it gave one."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class SinkNotReady(SinkUnavailable):
    """Its listeners are just coming back (after a restart, say); waiting a little loses nothing and is no failure."""


class SinkOverRate(SinkNotReady):
    """So much in so little time is more than it takes. Waiting loses nothing; a probe that is told so has failed."""


class EventRefused(SinkError):
    """This one event is wrong for ever; the text is the reason it is parked with.

    `named`: which of a batch are wrong, by place, with a reason each; empty when the other side does not say.
    """

    def __init__(self, reason: str, named: Mapping[int, str] | None = None) -> None:
        super().__init__(reason)
        self.named: Mapping[int, str] = named or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    event: Event
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a batch: its first `settled` events are delivered or refused, the rest were not tried.

    `unavailable` is why the rest were not tried (None when everything is settled).
    """

    settled: int
    refused: tuple[Refusal, ...] = ()
    unavailable: SinkUnavailable | None = None


class Sink(Protocol):
    """Delivers batches in order. Raises SinkUnavailable, before anything was delivered."""

    name: str

    @property
    def transactional(self) -> bool:
        """True: `deliver` writes through `connection`, and commits together with the cursor.

        False: `deliver` goes over a network, outside any transaction, and `connection` is None. Asked for each page.
        """

    def resume(self) -> None:
        """Called when a cursor that has delivered before is taken over from another bridge, or after a restart."""

    async def deliver(self, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery: ...
