"""The sink: what it settles, refuses and leaves, and when it holds."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from realtime_bridge.legacy.cards import Card, CardsUnavailable, StoredCards
from realtime_bridge.legacy.fanout.local import FanoutUnavailable
from realtime_bridge.legacy.frame import Emit
from realtime_bridge.legacy.sink import BATCH_EVENTS, LegacySink
from realtime_bridge.legacy.socketio.server import LegacyServer
from realtime_bridge.relay.sink import Sink, SinkNotReady, SinkUnavailable
from tests.written import Written


class FakeServer:
    """Takes `accepts` batches, then is down."""

    def __init__(self, accepts: int = 1_000) -> None:
        self.accepts = accepts
        self.published: list[Emit] = []

    async def publish(self, emits: Sequence[Emit]) -> None:
        if self.accepts == 0:
            raise FanoutUnavailable("Redis is away")
        self.accepts -= 1
        self.published += emits


class FakeCards:
    """Knows no conversation, or does not answer."""

    is_away = False

    async def read_cards(self, conversation_ids: Iterable[int]) -> Mapping[int, Card]:
        if self.is_away and list(conversation_ids):
            raise CardsUnavailable("gone fishing")
        return {}


def sink_over(server: FakeServer, cards: FakeCards | None = None, **options: Any) -> LegacySink:
    return LegacySink(cast(LegacyServer, server), cast(StoredCards, cards or FakeCards()), **options)


def test_it_is_a_sink() -> None:
    """The relay can drive it."""
    sink: Sink = sink_over(FakeServer())
    assert (sink.name, sink.transactional) == ("legacy", False)


def test_refused_event_stops_nothing(written: Written) -> None:
    """What the dialect cannot say is refused with its reason; its neighbours are published in order."""
    server = FakeServer()
    events = [written.status(seq) for seq in (1, 2, 3)]
    events[1] = replace(events[1], payload={"id": 1})
    delivery = asyncio.run(sink_over(server).deliver(events, None))
    assert (delivery.settled, delivery.unavailable) == (3, None)
    assert [(refusal.event, refusal.reason) for refusal in delivery.refused] == [(events[1], "status is not a text")]
    assert [emit.seq for emit in server.published] == [1, 3]


def test_page_is_settled_up_to_the_failure(written: Written) -> None:
    """A batch that is not published leaves itself and all after it for later, refusals among them included."""
    events = [written.status(seq) for seq in range(3 * BATCH_EVENTS)]
    events[0] = events[2 * BATCH_EVENTS] = replace(events[0], payload={})
    delivery = asyncio.run(sink_over(FakeServer(accepts=2)).deliver(events, None))
    assert (delivery.settled, len(delivery.refused)) == (2 * BATCH_EVENTS, 1)
    assert isinstance(delivery.unavailable, SinkUnavailable)


def test_failure_at_once_is_raised(written: Written) -> None:
    """When nothing was published the sink says so by raising."""
    with pytest.raises(SinkUnavailable, match="Redis is away"):
        asyncio.run(sink_over(FakeServer(accepts=0)).deliver([written.status(1)], None))


def test_unread_conversations_are_no_failure(written: Written) -> None:
    """While the database does not say how conversations stand, the batch waits, and nobody is blamed for it."""
    server, cards = FakeServer(), FakeCards()
    cards.is_away = True
    with pytest.raises(SinkNotReady, match="gone fishing"):
        asyncio.run(sink_over(server, cards).deliver([written.event("sent")], None))
    assert server.published == []
    assert asyncio.run(sink_over(server, cards).deliver([written.status(1)], None)).settled == 1


def test_resumed_sink_waits_for_its_clients(written: Written) -> None:
    """After a restart or a takeover it holds for the grace time, which is no failure; a first start does not."""
    now = 100.0
    server = FakeServer()
    assert sink_over(server, clock=lambda: now).hold_s() == 0
    sink = sink_over(server, reconnect_grace_s=3, clock=lambda: now)
    sink.resume()
    now = 102.0
    with pytest.raises(SinkNotReady) as held:
        asyncio.run(sink.deliver([written.status(1)], None))
    assert held.value.retry_after_s == 1
    now = 103.0
    assert asyncio.run(sink.deliver([written.status(1)], None)).settled == 1
    sink.resume()
    assert sink.hold_s() == 3
