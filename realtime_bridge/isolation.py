"""A bad event harms only itself: deliver a page so that one event's unexpected error does not stop its neighbours."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import structlog
from psycopg import AsyncConnection, Error

from realtime_bridge.cursors import LeaseLost
from realtime_bridge.events import Event
from realtime_bridge.sinks.base import Delivery, Refusal, Sink, SinkUnavailable

log = structlog.get_logger(__name__)


async def deliver(sink: Sink, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
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
