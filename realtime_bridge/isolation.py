"""A bad event harms only itself: deliver a page so that one event's unexpected error does not stop its neighbours."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import structlog
from psycopg import AsyncConnection, Error

from realtime_bridge.event_log.event import Event
from realtime_bridge.event_log.leases import LeaseLost
from realtime_bridge.relay.sink import Delivery, Refusal, Sink, SinkUnavailable

log = structlog.get_logger(__name__)


async def deliver(sink: Sink, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
    """Deliver `events`; those that cannot be read are refused without asking the sink."""
    readable = [event for event in events if not event.unreadable]
    if not readable:
        return _with_unreadable(events, readable, Delivery(settled=0))
    delivery = await _deliver(sink, readable, connection)
    return delivery if len(readable) == len(events) else _with_unreadable(events, readable, delivery)


def _with_unreadable(events: Sequence[Event], readable: Sequence[Event], delivery: Delivery) -> Delivery:
    """Return what became of all, from what became of those that the sink was given."""
    done = delivery.settled == len(readable)
    settled = len(events) if done else next(n for n, one in enumerate(events) if one is readable[delivery.settled])
    unreadable = [Refusal(event=event, reason=event.unreadable) for event in events[:settled] if event.unreadable]
    return Delivery(settled=settled, refused=(*delivery.refused, *unreadable), unavailable=delivery.unavailable)


async def _deliver(sink: Sink, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
    """Deliver `events`; when the sink breaks on them, try each alone and refuse those it breaks on.

    A sink that breaks on every one of several events is itself broken: that is SinkUnavailable, and nothing is refused.
    """
    try:
        async with _savepoint(connection):
            return await sink.deliver(events, connection)
    except (SinkUnavailable, LeaseLost, Error):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a sink breaks on must not stop the log
        log.warning("sink broke on a page", sink=sink.name, events=len(events), error=repr(error))
        return await _one_by_one(sink, events, connection)


async def _one_by_one(sink: Sink, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
    refused: list[Refusal] = []
    broken = 0
    for settled, event in enumerate(events):
        try:
            async with _savepoint(connection):
                delivery = await sink.deliver([event], connection)
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
