"""One account's burst delays its neighbours' events by a page, and nobody's events change their order."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from gateway.database import Database
from gateway.domain.messages import Direction, ImportedMessage, MessageStatus, MessageType
from gateway.services.imports import import_messages
from realtime_bridge.event_log.event import Event
from realtime_bridge.relay.loop import Relay
from realtime_bridge.relay.reach import FIRST
from realtime_bridge.relay.sink import Delivery
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user
from tests.fakes import RecordingSink
from tests.relays import held_relay, run, running
from tests.waiting import eventually

Conn = psycopg.Connection[DictRow]
BURST = 3_000  # announced imports, 500 a request
EVENT_S = 0.001  # what the sink takes for each: the burst keeps it busy for three seconds
PROBES = 12
AHEAD = 2 * FIRST  # events of the burst: the page under way, and the neighbour's own


class SlowSink(RecordingSink):
    async def deliver(self, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
        await asyncio.sleep(EVENT_S * len(events))
        return await super().deliver(events, connection)


def test_a_burst_of_one_account_does_not_hold_up_the_others(database_url: str, conn: Conn) -> None:
    """Thousands of imported messages are announced at once; of them a page or two go before each of a neighbour's."""
    hog, neighbour = make_user(conn), make_user(conn)
    burst, quiet = [make_conversation(conn, hog) for _ in range(3)], make_conversation(conn, neighbour)

    async def scenario() -> None:
        sink = SlowSink()
        async with held_relay(database_url, sink) as relay, running(relay):
            calm = await _delays(conn, relay, sink, quiet)
            _import(database_url, hog, burst)
            disturbed = await _delays(conn, relay, sink, quiet)
            assert len(sink.events) < BURST, "the burst was over before the neighbour was measured"
            assert one(conn, "select holes from relay_cursors where sink = 'legacy'")["holes"]
            await eventually(lambda: len(sink.events) == BURST + 2 * PROBES, "everything", 30.0)
            await eventually(lambda: _holes(conn) == [], "the end of the holes")
        p50, beside = statistics.median(calm) * 1_000, statistics.median(disturbed) * 1_000
        print(f"p50 {p50:.0f} ms calm, {beside:.0f} ms beside the burst")  # noqa: T201
        assert len({event.event_id for event in sink.events}) == BURST + 2 * PROBES
        for conversation in [*burst, quiet]:
            seqs = [event.seq for event in sink.events if event.conversation_id == conversation]
            assert seqs == sorted(seqs)

    run(scenario)


async def _delays(conn: Conn, relay: Relay, sink: SlowSink, conversation: int) -> list[float]:
    """Write events one by one; return how long each took to the sink."""
    delays = []
    for _ in range(PROBES):
        message, began, before = append_message(conn, conversation), time.monotonic(), len(sink.events)
        relay.wake()
        await eventually(partial(_has_delivered, sink, message), "the neighbour's event")
        delays.append(time.monotonic() - began)
        place = next(n for n, event in enumerate(sink.events) if event.payload["id"] == message)
        assert place - before <= AHEAD
    return delays


def _has_delivered(sink: SlowSink, message: int) -> bool:
    return any(event.payload["id"] == message for event in sink.events[-600:])


def _import(database_url: str, account: Any, conversations: Sequence[int]) -> None:
    database = Database(database_url, pool_size=1)
    try:
        for number in range(BURST // 500):
            items = [
                ImportedMessage(
                    index=index,
                    direction=Direction.INCOMING,
                    message_type=MessageType.TEXT,
                    content=f"message {index}",
                    status=MessageStatus.DELIVERED,
                    client_message_id=None,
                    provider_message_id=None,
                    sender_id=None,
                    reply_to_id=None,
                    metadata="{}",
                    created_at=datetime.now(UTC),
                )
                for index in range(500)
            ]
            import_messages(database, account, conversations[number % len(conversations)], items, announce=True)
    finally:
        database.close()


def _holes(conn: Conn) -> Any:
    return one(conn, "select holes from relay_cursors where sink = 'legacy'")["holes"]
