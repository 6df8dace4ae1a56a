"""The sink: what it settles, refuses and leaves, and when it holds."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from realtime_bridge.legacy.dialects import Emit
from realtime_bridge.legacy.fanout import FanoutUnavailable
from realtime_bridge.legacy.socketio_server import LegacyServer
from realtime_bridge.sinks.base import Sink, SinkNotReady, SinkUnavailable
from realtime_bridge.sinks.legacy import BATCH_EVENTS, LegacySink
from tests.unit.legacy.test_dialects import MESSAGE, event


class FakeServer:
    """Takes `accepts` batches, then is down."""

    def __init__(self, accepts: int = 1_000) -> None:
        self.accepts = accepts
        self.published: list[Emit] = []
        self.tokens: list[int | None] = []

    async def publish(self, emits: Sequence[Emit], token: int | None = None) -> None:
        self.tokens.append(token)
        if self.accepts == 0:
            raise FanoutUnavailable("Redis is away")
        self.accepts -= 1
        self.published += emits


def sink_over(server: FakeServer, **options: Any) -> LegacySink:
    return LegacySink(cast(LegacyServer, server), **options)


def test_it_is_a_sink() -> None:
    """The relay can drive it."""
    sink: Sink = sink_over(FakeServer())
    assert (sink.name, sink.transactional) == ("legacy", False)


def test_refused_event_stops_nothing() -> None:
    """What the dialect cannot say is refused with its reason; its neighbours are published in order."""
    server = FakeServer()
    events = [event("message.status", MESSAGE, seq=seq) for seq in (1, 2, 3)]
    events[1] = event("message.status", {"id": 1}, seq=2)
    delivery = asyncio.run(sink_over(server).deliver(events, None))
    assert (delivery.settled, delivery.unavailable) == (3, None)
    assert [(refusal.event, refusal.reason) for refusal in delivery.refused] == [(events[1], "status is not a text")]
    assert [emit.seq for emit in server.published] == [1, 3]


def test_page_is_settled_up_to_the_failure() -> None:
    """A batch that is not published leaves itself and all after it for later, refusals among them included."""
    events = [event("message.status", MESSAGE, seq=seq) for seq in range(3 * BATCH_EVENTS)]
    events[0] = events[2 * BATCH_EVENTS] = event("message.status", {})
    delivery = asyncio.run(sink_over(FakeServer(accepts=2)).deliver(events, None))
    assert (delivery.settled, len(delivery.refused)) == (2 * BATCH_EVENTS, 1)
    assert isinstance(delivery.unavailable, SinkUnavailable)


def test_failure_at_once_is_raised() -> None:
    """When nothing was published the sink says so by raising."""
    with pytest.raises(SinkUnavailable, match="Redis is away"):
        asyncio.run(sink_over(FakeServer(accepts=0)).deliver([event("message.status", MESSAGE)], None))


def test_resumed_sink_waits_for_its_clients() -> None:
    """After a restart or a takeover it holds for the grace time, which is no failure; a first start does not."""
    now = 100.0
    server = FakeServer()
    assert sink_over(server, clock=lambda: now).hold_s() == 0
    sink = sink_over(server, resuming=True, reconnect_grace_s=3, clock=lambda: now)
    now = 102.0
    with pytest.raises(SinkNotReady) as held:
        asyncio.run(sink.deliver([event("message.status", MESSAGE)], None))
    assert held.value.retry_after_s == 1
    now = 103.0
    assert asyncio.run(sink.deliver([event("message.status", MESSAGE)], None)).settled == 1
    sink.resume()
    assert sink.hold_s() == 3
