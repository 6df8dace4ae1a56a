"""The relay reads past commits that come late, transactions that stay open and ids that never come."""

import asyncio

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.event_log import leases
from realtime_bridge.relay.sink import SinkUnavailable
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user
from tests.fakes import RecordingSink
from tests.relays import held_relay, run, running, standby_relay
from tests.waiting import eventually


def test_a_lower_id_that_commits_later_is_still_delivered(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Two conversations, two writers: the second commits first, both events arrive."""
    account = make_user(conn)
    slow, fast = make_conversation(conn, account), make_conversation(conn, account)

    async def scenario() -> None:
        sink = RecordingSink()
        async with held_relay(database_url, sink) as relay:
            with psycopg.connect(database_url) as late:
                append_message(late, slow, "late")
                append_message(conn, fast, "early")
                assert await relay.run_once() == 1
                late.commit()
            assert await relay.run_once() == 1
            assert sink.contents == ["early", "late"]
            await relay.run_once()
            assert relay.lease is not None
            assert relay.lease.cursor.holes == ()

    run(scenario)


def test_an_older_transaction_with_a_higher_id_hides_nothing(
    database_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """A snapshot's xmax is one past the newest *ended* transaction: a younger one may hold a lower id already."""
    account = make_user(conn)
    slow, fast = make_conversation(conn, account), make_conversation(conn, account)

    async def scenario() -> None:
        sink = RecordingSink()
        async with held_relay(database_url, sink) as relay:
            with psycopg.connect(database_url) as older, psycopg.connect(database_url) as younger:
                older.execute("select pg_current_xact_id()")
                append_message(younger, slow, "late")  # the younger transaction takes the lower id …
                append_message(older, fast, "early")
                older.commit()  # … and nothing as young as it has ended yet
                assert await relay.run_once() == 1
                assert await relay.run_once() == 0
                younger.commit()
            assert await relay.run_once() == 1
            assert sink.contents == ["early", "late"]

    run(scenario)


def test_an_open_write_transaction_delays_nobody(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """While another connection keeps a transaction with an event open, everyone else's events go out at once."""
    account = make_user(conn)
    held, free = make_conversation(conn, account), make_conversation(conn, account)

    async def scenario() -> None:
        sink = RecordingSink()
        async with held_relay(database_url, sink) as relay, running(relay, woken_by=database_url):
            with psycopg.connect(database_url) as blocker:
                append_message(blocker, held, "held back")
                for number in range(50):
                    append_message(conn, free, str(number))
                    await eventually(lambda n=number: len(sink.events) > n, f"message {number}")  # type: ignore[misc]
                assert sink.contents == [str(number) for number in range(50)]
                blocker.commit()
            await eventually(lambda: len(sink.events) == 51, "the transaction that was held")

    run(scenario)


def test_a_rolled_back_id_does_not_linger(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """Ids that were taken and rolled back leave no hole behind, in memory or in the table."""

    async def scenario() -> None:
        async with held_relay(database_url, RecordingSink()) as relay:
            for _ in range(3):
                with psycopg.connect(database_url) as doomed:
                    append_message(doomed, conversation)
                    doomed.rollback()
            append_message(conn, conversation)
            assert await relay.run_once() == 1
            await relay.run_once()
            assert one(conn, "select holes from relay_cursors where sink = 'legacy'")["holes"] == []

    run(scenario)


def test_a_restarted_relay_still_knows_its_holes(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Holes survive the process: an event that commits after a restart below the mark is delivered."""
    account = make_user(conn)
    slow, fast = make_conversation(conn, account), make_conversation(conn, account)

    async def scenario() -> None:
        sink = RecordingSink()
        with psycopg.connect(database_url) as late:
            append_message(late, slow, "late")
            append_message(conn, fast, "early")
            async with held_relay(database_url, sink) as relay:
                assert await relay.run_once() == 1
            late.commit()
        async with held_relay(database_url, sink) as relay:
            assert await relay.run_once() == 1
        assert sink.contents == ["early", "late"]

    run(scenario)


def test_order_holds_with_slow_and_failing_writers(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Concurrent writers, slow commits, roll-backs and small pages: nothing lost, each conversation in seq order."""
    account = make_user(conn)
    conversations = [make_conversation(conn, account) for _ in range(6)]

    async def writer(number: int) -> None:
        for step in range(25):
            target = conversations[(number * 7 + step * 5) % len(conversations)]
            await asyncio.to_thread(_append, database_url, target, slow=step % 3 == 0, fail=step % 8 == 7)

    async def scenario() -> None:
        sink = RecordingSink()
        async with held_relay(database_url, sink, page=7) as relay, running(relay):
            await asyncio.gather(*(writer(number) for number in range(6)))
            total = one(conn, "select count(*) as n from chat_events")["n"]
            await eventually(lambda: len(sink.events) == total, "every committed event")
        assert len({event.event_id for event in sink.events}) == total
        for target in conversations:
            seqs = [event.seq for event in sink.events if event.conversation_id == target]
            assert seqs == list(range(1, len(seqs) + 1))

    run(scenario)


def _append(database_url: str, conversation: int, *, slow: bool, fail: bool) -> None:
    with psycopg.connect(database_url) as connection:
        append_message(connection, conversation)
        if slow:
            connection.execute("select pg_sleep(0.02)")
        if fail:
            connection.rollback()


def test_a_new_event_is_read_at_once(database_url: str, conn: psycopg.Connection[DictRow], conversation: int) -> None:
    """An idle relay finds an event by its poll even when nobody wakes it."""

    async def scenario() -> None:
        sink = RecordingSink()
        async with held_relay(database_url, sink) as relay, running(relay):
            await asyncio.sleep(0)
            append_message(conn, conversation)
            await eventually(lambda: sink.events, "the event, without a NOTIFY")

    run(scenario)


def test_only_the_lease_holder_delivers_and_a_standby_takes_over(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """Two bridges: the second stands by, takes over an expired lease, and the first one's late move is fenced off."""

    async def scenario() -> None:
        first, second = RecordingSink(), RecordingSink()
        async with held_relay(database_url, first) as active, standby_relay(database_url, second) as standby:
            append_message(conn, conversation, "one")
            assert not await standby.acquire()
            assert await active.run_once() == 1
            conn.execute("update relay_cursors set lease_until = now() - interval '1 second' where sink = 'legacy'")
            assert await standby.acquire()
            append_message(conn, conversation, "two")
            with pytest.raises(leases.LeaseLost):
                await active.run_once()
            assert await standby.run_once() == 1
            assert second.contents == ["two"]

    run(scenario)


def test_failures_from_before_another_bridge_held_the_lease_are_forgotten(
    database_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Who only renews an expired lease goes on counting; who gets it back after somebody else starts at nothing."""
    expire = "update relay_cursors set lease_until = now() - interval '1 second' where sink = 'legacy'"
    away = SinkUnavailable("away")

    async def scenario() -> None:
        sinks = RecordingSink(), RecordingSink()
        async with held_relay(database_url, sinks[0]) as first, standby_relay(database_url, sinks[1]) as second:
            for _ in range(5):
                await first.health.failed(first.lease, away)
            await first.health.unheard(first.lease, 5, "nothing arrived")
            conn.execute(expire)
            assert await first.acquire()
            assert first.health.failures == 5
            for relay in (second, first):
                conn.execute(expire)
                assert await relay.acquire()
            assert first.health.failures == 0
            await first.health.failed(first.lease, away)
            rows = conn.execute("select consecutive_failures as n from relay_cursors where sink = 'legacy'").fetchall()
            assert rows == [{"n": 1}]

    run(scenario)


def test_stopping_gives_the_lease_back(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """After a clean stop a standby need not wait for the lease to expire."""

    async def scenario() -> None:
        async with held_relay(database_url, RecordingSink()) as active, running(active):
            pass
        async with standby_relay(database_url, RecordingSink()) as standby:
            assert await standby.acquire()

    run(scenario)
