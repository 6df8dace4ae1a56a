"""A bad event is parked with its reason, its neighbours go on, and an operator can have it sent again."""

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.relay.sink import SinkUnavailable
from tests.conftest import one
from tests.factories import append_message
from tests.fakes import RecordingSink
from tests.relays import held_relay, run


def test_a_refused_event_is_parked_and_its_neighbours_go_on(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """The middle one of three is refused: the others arrive, it lies parked with what the sink said."""
    for text in ("one", "bad", "three"):
        append_message(conn, conversation, text)

    async def scenario() -> None:
        sink = RecordingSink()
        sink.refuses = lambda event: event.payload["content"] == "bad"
        async with held_relay(database_url, sink) as relay:
            assert await relay.run_once() == 3
            assert sink.contents == ["one", "three"]

    run(scenario)
    parked = one(conn, "select sink, reason, attempts, payload->>'content' as content from parked_events")
    assert parked == {"sink": "legacy", "reason": "refused by this sink", "attempts": 1, "content": "bad"}


def test_an_event_that_breaks_the_sink_is_parked_alone(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """An unexpected error is pinned on the event that causes it; repeats of its neighbours are allowed."""
    for text in ("one", "bad", "three"):
        append_message(conn, conversation, text)

    async def scenario() -> None:
        sink = RecordingSink()
        sink.breaks_on = lambda event: event.payload["content"] == "bad"
        async with held_relay(database_url, sink) as relay:
            assert await relay.run_once() == 3
            assert sink.contents[-2:] == ["one", "three"]

    run(scenario)
    assert "broken by this event" in one(conn, "select reason from parked_events")["reason"]


def test_a_sink_that_breaks_on_everything_parks_nothing(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """Then the sink is at fault, not the events: they wait."""
    for text in ("one", "two"):
        append_message(conn, conversation, text)

    async def scenario() -> None:
        sink = RecordingSink()
        sink.breaks_on = lambda _: True
        async with held_relay(database_url, sink) as relay:
            with pytest.raises(SinkUnavailable):
                await relay.run_once()

    run(scenario)
    assert one(conn, "select count(*) as n from parked_events")["n"] == 0


def test_what_was_delivered_before_an_outage_is_not_delivered_again(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """A page that stops half way moves the cursor by what was settled."""
    for number in range(4):
        append_message(conn, conversation, str(number))

    async def scenario() -> None:
        sink = RecordingSink()

        def fail_after_two(_: object) -> bool:
            sink.unavailable = SinkUnavailable("gone") if len(sink.events) == 2 else None
            return False

        sink.refuses = fail_after_two
        async with held_relay(database_url, sink) as relay:
            with pytest.raises(SinkUnavailable):
                await relay.run_once()
            sink.unavailable, sink.refuses = None, lambda _: False
            await relay.run_once()
            assert sink.contents == ["0", "1", "2", "3"]

    run(scenario)


def test_a_parked_event_is_replayed_on_request(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """Replaying delivers it and takes it off the list; refused again, it is parked again and counted."""
    append_message(conn, conversation, "bad")

    async def scenario() -> None:
        sink = RecordingSink()
        sink.refuses = lambda _: True
        async with held_relay(database_url, sink) as relay:
            await relay.run_once()
            conn.execute("update parked_events set replay_requested_at = now()")
            await relay.run_once()
            row = one(conn, "select attempts, replay_requested_at from parked_events")
            assert row == {"attempts": 2, "replay_requested_at": None}
            sink.refuses = lambda _: False
            conn.execute("update parked_events set replay_requested_at = now()")
            await relay.run_once()
            assert sink.contents == ["bad"]

    run(scenario)
    assert one(conn, "select count(*) as n from parked_events")["n"] == 0
