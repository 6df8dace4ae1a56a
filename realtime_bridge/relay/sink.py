"""Contract of a sink with its relay. A sink delivers events and knows nothing of cursors, leases or retries.

SinkError
├── SinkUnavailable   the other side takes nothing now: the batch waits, the breaker counts
│   └── SinkNotReady  it is expected to be back in a moment: the batch waits, nothing is counted
│       └── SinkOverRate  it takes no more for now than it has been given
├── SinkBroke         something of a page breaks it: each event is tried alone
└── EventRefused      this event can never be delivered: it is parked, its neighbours go on
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from psycopg import AsyncConnection, DataError, Error, IntegrityError

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


class SinkBroke(SinkError):
    """It broke on something of what it was given, and does not know on what; the text is the error."""


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


async def deliver(sink: Sink, events: Sequence[Event], listener: Listener) -> Delivery:
    """Deliver `events` outside any transaction."""
    try:
        return await _readable(_at_once, sink, events, None, listener)
    except SinkBroke:
        return await _readable(_one_by_one, sink, events, None, listener)


@contextlib.asynccontextmanager
async def delivered(
    sink: Sink, connection: AsyncConnection[Any], events: Sequence[Event], listener: Listener
) -> AsyncIterator[Delivery]:
    """Deliver `events`, and yield where what became of them is to be written down.

    That is the transaction in which a sink delivers, if it does. When it breaks there, all is undone, and each is tried
    alone.
    """
    if not events or not sink.transactional:
        delivery = await deliver(sink, events, listener) if events else Delivery(settled=0)
        async with connection.transaction() if delivery.refused else contextlib.nullcontext():
            yield delivery
        return
    for tried in (_at_once, _one_by_one):
        with contextlib.suppress(SinkBroke):
            async with connection.transaction():
                yield await _readable(tried, sink, events, connection, listener)
            return


Try = Callable[[Sink, Sequence[Event], AsyncConnection[Any] | None], Awaitable[Delivery]]


async def _readable(
    tried: Try, sink: Sink, events: Sequence[Event], connection: AsyncConnection[Any] | None, listener: Listener
) -> Delivery:
    """Deliver those of `events` that can be read; the others are refused without asking the sink."""
    readable = [event for event in events if not event.unreadable]
    delivery = Delivery(settled=0)
    if readable:
        try:
            delivery = await tried(sink, readable, connection)
        except SinkUnavailable as reason:
            listener.tried(len(readable), Delivery(settled=0, unavailable=reason))
            raise
        listener.tried(len(readable), delivery)
    if len(readable) == len(events):
        return delivery
    done = delivery.settled == len(readable)
    settled = len(events) if done else next(n for n, one in enumerate(events) if one is readable[delivery.settled])
    unreadable = [Refusal(event=event, reason=event.unreadable) for event in events[:settled] if event.unreadable]
    return Delivery(settled=settled, refused=(*delivery.refused, *unreadable), unavailable=delivery.unavailable)


async def _at_once(sink: Sink, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
    """Raise SinkBroke when the sink breaks on something of `events`."""
    try:
        return await sink.deliver(events, connection)
    except Exception as error:
        if not _is_of_an_event(error):
            raise
        told: dict[str, object] = {"error": repr(error)}
        if isinstance(error, Error):  # the rest of what it says may hold the row
            told = {"error": error.diag.message_primary, "sqlstate": error.sqlstate, "exc_info": False}
        if len(events) == 1:
            log.exception("sink broke on an event", sink=sink.name, event_id=str(events[0].event_id), **told)
        else:
            log.warning("sink broke on a page", sink=sink.name, events=len(events), **told)
        raise SinkBroke(str(error) if isinstance(error, Error) else f"unexpected: {error!r}") from error


async def _one_by_one(sink: Sink, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
    """Refuse those of `events` that the sink breaks on.

    A sink that breaks on every one of several is itself broken: that is SinkUnavailable, and nothing is refused.
    """
    refused: list[Refusal] = []
    broken = 0
    for settled, event in enumerate(events):
        try:
            async with connection.transaction() if connection else contextlib.nullcontext():
                delivery = await _at_once(sink, [event], connection)
        except SinkUnavailable as reason:
            return Delivery(settled=settled, refused=tuple(refused), unavailable=reason)
        except SinkBroke as error:
            refused.append(Refusal(event=event, reason=str(error)))
            broken += 1
        else:
            refused.extend(delivery.refused)
            if delivery.unavailable:
                return Delivery(settled=settled, refused=tuple(refused), unavailable=delivery.unavailable)
    if broken == len(events) > 1:
        raise SinkUnavailable(f"broke on all of {broken} events; the last: {refused[-1].reason}")
    return Delivery(settled=len(events), refused=tuple(refused))


def _is_of_an_event(error: Exception) -> bool:
    """Whether trying each event alone may help: not when a side or the database is away, or a lease is lost."""
    return isinstance(error, (DataError, IntegrityError)) or not isinstance(error, (SinkUnavailable, LeaseLost, Error))
