"""Contract of a sink with its relay. A sink delivers events and knows nothing of cursors, leases or retries.

SinkError
├── SinkUnavailable   the other side takes nothing now: the batch waits, the breaker counts
│   └── SinkNotReady  it is expected to be back in a moment: the batch waits, nothing is counted
│       └── SinkOverRate  it takes no more for now than it has been given
└── EventRefused      this event can never be delivered: it is parked, its neighbours go on
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from psycopg import AsyncConnection, Error

from realtime_bridge.event_log.event import Event
from realtime_bridge.event_log.leases import LeaseLost

log = structlog.get_logger(__name__)


class Feed(Protocol):
    """Chooses from a page. Raises SinkNotReady while it cannot know: then nothing is passed over."""

    @property
    def is_open(self) -> bool:
        """False while the sink is fed nothing at all."""

    def choose(self, events: Sequence[Event]) -> Sequence[Event]:
        """Return those of `events` to deliver, in their order."""


class Everything:
    """A sink that is always fed."""

    is_open = True

    def choose(self, events: Sequence[Event]) -> Sequence[Event]:
        return events


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

    def passed(self, events: Sequence[Event], chosen: Sequence[Event]) -> int:
        """Return how many of `events` are dealt with: all up to the first of those `chosen` that was not tried."""
        if self.settled == len(chosen):
            return len(events)
        return next(place for place, event in enumerate(events) if event.id == chosen[self.settled].id)


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


class Listener(Protocol):
    """Is told what becomes of a relay's deliveries."""

    def resumed(self) -> None:
        """The cursor was taken over from another bridge, or after a restart."""

    def tried(self, events: int, delivery: Delivery) -> None:
        """The sink was given so many events, and this became of them."""

    def passed(self, events: Sequence[Event]) -> None:
        """These are delivered, for the first time and not as a replay, and the cursor has moved past them."""


class Nobody:
    """For a relay of which nobody keeps count."""

    def resumed(self) -> None: ...

    def tried(self, events: int, delivery: Delivery) -> None: ...

    def passed(self, events: Sequence[Event]) -> None: ...


async def deliver(
    sink: Sink, events: Sequence[Event], connection: AsyncConnection[Any] | None, listener: Listener
) -> Delivery:
    """Deliver `events`; those that cannot be read are refused without asking the sink."""
    readable = [event for event in events if not event.unreadable]
    if not readable:
        return _with_unreadable(events, readable, Delivery(settled=0))
    delivery = await _deliver(sink, readable, connection, listener)
    return delivery if len(readable) == len(events) else _with_unreadable(events, readable, delivery)


def _with_unreadable(events: Sequence[Event], readable: Sequence[Event], delivery: Delivery) -> Delivery:
    """Return what became of all, from what became of those that the sink was given."""
    done = delivery.settled == len(readable)
    settled = len(events) if done else next(n for n, one in enumerate(events) if one is readable[delivery.settled])
    unreadable = [Refusal(event=event, reason=event.unreadable) for event in events[:settled] if event.unreadable]
    return Delivery(settled=settled, refused=(*delivery.refused, *unreadable), unavailable=delivery.unavailable)


async def _deliver(
    sink: Sink, events: Sequence[Event], connection: AsyncConnection[Any] | None, listener: Listener
) -> Delivery:
    """Deliver `events`; when the sink breaks on them, try each alone and refuse those it breaks on.

    A sink that breaks on every one of several events is itself broken: that is SinkUnavailable, and nothing is refused.
    """
    try:
        async with _savepoint(connection):
            return await _try(sink, events, connection, listener)
    except (SinkUnavailable, LeaseLost, Error):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a sink breaks on must not stop the log
        log.warning("sink broke on a page", sink=sink.name, events=len(events), error=repr(error))
        return await _one_by_one(sink, events, connection, listener)


async def _try(
    sink: Sink, events: Sequence[Event], connection: AsyncConnection[Any] | None, listener: Listener
) -> Delivery:
    try:
        delivery = await sink.deliver(events, connection)
    except SinkUnavailable as reason:
        listener.tried(len(events), Delivery(settled=0, unavailable=reason))
        raise
    listener.tried(len(events), delivery)
    return delivery


async def _one_by_one(
    sink: Sink, events: Sequence[Event], connection: AsyncConnection[Any] | None, listener: Listener
) -> Delivery:
    refused: list[Refusal] = []
    broken = 0
    for settled, event in enumerate(events):
        try:
            async with _savepoint(connection):
                delivery = await _try(sink, [event], connection, listener)
        except (LeaseLost, Error):
            raise
        except SinkUnavailable as reason:
            return Delivery(settled=settled, refused=tuple(refused), unavailable=reason)
        except Exception as error:
            log.exception("sink broke on an event", sink=sink.name, event_id=str(event.event_id))
            refused.append(Refusal(event=event, reason=f"unexpected: {error!r}"))
            broken += 1
        else:
            refused.extend(delivery.refused)
            if delivery.unavailable:
                return Delivery(settled=settled, refused=tuple(refused), unavailable=delivery.unavailable)
    if broken == len(events) > 1:
        raise SinkUnavailable(f"broke on all of {broken} events; the last: {refused[-1].reason}")
    return Delivery(settled=len(events), refused=tuple(refused))


def _savepoint(connection: AsyncConnection[Any] | None) -> AbstractAsyncContextManager[Any]:
    """Undo what a failed try wrote; without a connection there is nothing to undo."""
    return connection.transaction() if connection else nullcontext()


@contextlib.asynccontextmanager
async def delivered(
    sink: Sink, connection: AsyncConnection[Any], events: Sequence[Event], listener: Listener
) -> AsyncIterator[Delivery]:
    """Deliver `events` and yield inside the transaction that records it: the same one if the sink allows it."""
    delivery = Delivery(settled=0)
    if events and not sink.transactional:
        delivery = await deliver(sink, events, None, listener)
    async with connection.transaction():
        if events and sink.transactional:
            delivery = await deliver(sink, events, connection, listener)
        yield delivery
