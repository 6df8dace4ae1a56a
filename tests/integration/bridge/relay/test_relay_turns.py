"""Accounts take turns on a page, and what was left for later is known: to the next bridge, to status, to retention."""

from typing import Any

import psycopg
from psycopg.rows import DictRow

from ops.cli import relay as relay_command
from realtime_bridge import metrics
from realtime_bridge.event_log import janitor, reading
from realtime_bridge.relay.lag import Lag
from realtime_bridge.relay.sink import SinkUnavailable
from realtime_bridge.shared import sql
from tests.factories import append_message, make_conversation, make_user
from tests.fakes import RecordingSink
from tests.relays import held_relay, open_pool, run

Conn = psycopg.Connection[DictRow]


def write_burst(conn: Conn) -> None:
    """Six events of one account, then one of another."""
    hog, neighbour = make_conversation(conn, make_user(conn)), make_conversation(conn, make_user(conn))
    for number in range(6):
        append_message(conn, hog, f"burst {number}")
    append_message(conn, neighbour, "quiet")


def test_the_first_of_each_account_comes_before_the_second_of_any(database_url: str, conn: Conn) -> None:
    """On a page of two, the neighbour's event stands beside the first of the burst; another bridge goes on there."""
    write_burst(conn)

    async def scenario() -> None:
        sink = RecordingSink()
        async with held_relay(database_url, sink, page=2) as relay:
            assert await relay.run_once() == 2
            assert sink.contents == ["burst 0", "quiet"]
        async with held_relay(database_url, sink, page=100) as relay:
            assert await relay.run_once() == 5
            assert await relay.run_once() == 0
            assert relay.lease is not None
            assert relay.lease.cursor.holes == ()
        assert sink.contents == ["burst 0", "quiet", *(f"burst {number}" for number in range(1, 6))]

    run(scenario)


def test_a_page_that_stops_half_way_leaves_the_rest_in_their_order(database_url: str, conn: Conn) -> None:
    """The sink takes the first of the page only: the neighbour's event, above the mark by then, is not passed over."""
    write_burst(conn)

    async def scenario() -> None:
        sink = RecordingSink()

        def fail_after_one(_: object) -> bool:
            sink.unavailable = SinkUnavailable("gone")
            return False

        sink.refuses = fail_after_one
        async with held_relay(database_url, sink, page=3) as relay:
            for _ in range(2):
                try:
                    await relay.run_once()
                except SinkUnavailable:
                    sink.unavailable = None
            assert sink.contents == ["burst 0", "burst 1"]
            sink.refuses = lambda _: False
            while await relay.run_once():
                pass
        assert sorted(sink.contents) == sorted(["quiet", *(f"burst {number}" for number in range(6))])

    run(scenario)


def test_what_waits_its_turn_is_told_as_behind_and_kept(database_url: str, conn: Conn) -> None:
    """Below the mark, in a hole: `relay status` and the metric count it, and retention does not drop it."""
    write_burst(conn)
    conn.execute("update chat_events set created_at = created_at - interval '2 days' where id = 2")

    async def scenario() -> None:
        async with held_relay(database_url, RecordingSink(), page=2) as relay:
            await relay.run_once()
            async with open_pool(database_url) as pool:
                await Lag(pool, dict).run_once()
            status: dict[str, Any] = next(
                row
                for row in conn.execute(relay_command._SQL["status"], {"alive_s": 10}).fetchall()
                if row["sink"] == "legacy"
            )
            assert (status["lag_events"], status["holes"]) == (5, 0)
            assert status["lag_s"] > 86_400
            age = conn.execute(sql.Statements(janitor.__file__)["find_age_to_keep"], {"retention_days": 1}).fetchone()
            assert age is not None
            assert age["age"].days >= 2

    conn.execute("delete from relay_cursors where sink <> 'legacy'")
    run(scenario)
    assert metrics.LAG_EVENTS.labels("legacy")._value.get() == 5


def test_a_page_is_bounded_in_bytes(database_url: str, conn: Conn, conversation: int) -> None:
    """Large payloads make small pages, and one larger than all of a page's bytes goes alone."""
    for text in ("x", "x", "x", "x", "y", "after"):
        append_message(conn, conversation, text)
    pad = "update chat_events set payload = payload || jsonb_build_object('pad', repeat('z', %s)) where seq = any(%s)"
    conn.execute(pad, (reading.PAGE_BYTES // 3, [1, 2, 3, 4]))
    conn.execute(pad, (reading.PAGE_BYTES + 1, [5]))

    async def scenario() -> None:
        sink = RecordingSink()
        async with held_relay(database_url, sink) as relay:
            assert [await relay.run_once() for _ in range(4)] == [3, 2, 1, 0]
            assert sink.contents[-1] == "after"

    run(scenario)
