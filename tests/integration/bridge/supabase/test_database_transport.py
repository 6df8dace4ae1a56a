"""Broadcast rows and the cursor commit together; what is wrong with the database is nobody's fault."""

from typing import Any
from uuid import UUID, uuid5

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.relay.loop import Relay
from realtime_bridge.relay.sink import SinkNotReady, SinkUnavailable
from realtime_bridge.supabase.database import DatabaseTransport
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.sink import RealtimeService, SupabaseSink
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user
from tests.fakes import RecordingSink
from tests.relays import held_relay, open_pool, run, running
from tests.servers.proxy import Cut, CuttingProxy
from tests.waiting import eventually


def supabase_sink(hold_s: float = 0.0) -> SupabaseSink:
    way = Way(hold_s=hold_s)
    return SupabaseSink(RealtimeService(DatabaseTransport(way)), way)


def broadcasts(admin_url: str) -> list[dict[str, Any]]:
    """What Realtime would broadcast, in order."""
    with psycopg.connect(admin_url, row_factory=psycopg.rows.dict_row) as admin:
        query = "select id, topic, event, payload, private from realtime.messages order by inserted_at, ctid"
        return [dict(row) for row in admin.execute(query)]


def test_an_event_goes_to_its_conversation_and_to_every_inbox(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """One private broadcast on the conversation's channel and one on each participant's inbox, payload as stored."""
    account, member = make_user(conn), make_user(conn)
    conversation = make_conversation(conn, account, member)
    append_message(conn, conversation, "hello")

    async def scenario() -> None:
        async with held_relay(database_url, supabase_sink()) as relay:
            assert await relay.run_once() == 1

    run(scenario)
    sent = broadcasts(admin_url)
    stored = one(conn, "select payload from chat_events")["payload"]
    assert {row["topic"] for row in sent} == {
        f"conversation:{conversation}", f"user:{account}:inbox", f"user:{member}:inbox",
    }  # fmt: skip
    assert all(row["private"] and row["event"] == "message.new" and row["payload"] == stored for row in sent)
    assert {row["id"] for row in sent} == {uuid5(UUID(stored["eventId"]), row["topic"]) for row in sent}
    assert stored["seq"] == 1


@pytest.mark.parametrize("cut", list(Cut))
def test_a_relay_killed_at_any_statement_neither_loses_nor_repeats(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow], cut: Cut
) -> None:
    """The connection is cut at every statement in turn, commits included: each broadcast row is there exactly once."""
    conversation = make_conversation(conn, make_user(conn), make_user(conn))
    cuts = 0

    async def scenario() -> None:
        nonlocal cuts
        async with CuttingProxy(database_url).serve() as proxy:
            for cut_at in range(1, 60):
                for number in range(3):
                    append_message(conn, conversation, f"{cut_at}.{number}")
                proxy.arm(cut_at, cut)
                async with open_pool(proxy.url, size=3) as pool:
                    relay = Relay(sink=supabase_sink(), pool=pool, owner=f"relay-{cut_at}", page=2)
                    async with running(relay):
                        await eventually(lambda n=3 * cut_at: _delivered(conn) == n, f"a cut at {cut_at}")  # type: ignore[misc]
                if not proxy.has_cut:
                    break
                cuts += 1

    def _delivered(connection: psycopg.Connection[DictRow]) -> int:
        row = one(connection, "select delivered_count as n from relay_cursors where sink = 'supabase'")
        return int(row["n"])

    run(scenario)
    rows = broadcasts(admin_url)
    seqs = [row["payload"]["seq"] for row in rows if row["topic"].startswith("conversation:")]
    assert cuts >= 12, "the cuts must reach past the transaction's commit"
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(rows) == 3 * len(seqs)


def test_a_missing_partition_opens_the_breaker_and_the_backlog_drains_in_order(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Supabase down: the legacy side goes on, status says why, and after the repair everything comes, in order."""
    conversation = make_conversation(conn, make_user(conn))
    with psycopg.connect(admin_url, autocommit=True) as admin:
        partitions = [
            row[0]
            for row in admin.execute(
                "select inhrelid::regclass::text from pg_inherits where inhparent = 'realtime.messages'::regclass"
            )
        ]
        for partition in partitions:
            admin.execute(f"alter table realtime.messages detach partition {partition}".encode())

        async def scenario() -> None:
            legacy = RecordingSink("legacy")
            async with open_pool(database_url) as pool:
                failing = Relay(sink=supabase_sink(), pool=pool, owner="test")
                healthy = Relay(sink=legacy, pool=pool, owner="test")
                async with running(failing, healthy):
                    for number in range(20):
                        append_message(conn, conversation, str(number))
                    await eventually(lambda: len(legacy.events) == 20, "the legacy side")
                    query = "select breaker, last_error from relay_cursors where sink = 'supabase'"
                    await eventually(lambda: one(conn, query)["breaker"] == "open", "the breaker", timeout_s=30)
                    assert "no partition" in one(conn, query)["last_error"]
                    for partition in reversed(partitions):
                        admin.execute(f"drop table {partition}".encode())
                    admin.execute("create table realtime.messages_all partition of realtime.messages default")
                    await eventually(lambda: len(broadcasts(admin_url)) == 40, "the backlog", timeout_s=30)
            assert one(conn, "select breaker from relay_cursors where sink = 'supabase'")["breaker"] == "closed"

        run(scenario)
    seqs = [row["payload"]["seq"] for row in broadcasts(admin_url) if row["topic"].startswith("conversation:")]
    assert seqs == list(range(1, 21))


def test_it_waits_for_a_realtime_that_is_reconnecting_but_not_for_one_that_is_not_there(
    database_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """With no active slot delivery is held back for the grace period, and then goes on: nobody is listening."""
    append_message(conn, make_conversation(conn, make_user(conn)))
    now = 100.0

    async def scenario() -> None:
        nonlocal now
        way = Way(hold_s=10, clock=lambda: now)
        sink = SupabaseSink(RealtimeService(DatabaseTransport(way)), way)
        async with held_relay(database_url, sink) as relay:
            with pytest.raises(SinkNotReady):
                await relay.run_once()
            now = 109.0
            with pytest.raises(SinkNotReady):
                await relay.run_once()
            now = 111.0
            assert await relay.run_once() == 1
            assert relay.health.breaker.failures == 0

    run(scenario)


def test_a_database_without_realtime_is_unavailable_not_a_reason_to_park(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """A missing realtime.messages is somebody's to repair; the events wait."""
    append_message(conn, make_conversation(conn, make_user(conn)))
    with psycopg.connect(admin_url) as admin:
        admin.execute("alter table realtime.messages rename to messages_elsewhere")

    async def scenario() -> None:
        async with held_relay(database_url, supabase_sink()) as relay:
            with pytest.raises(SinkUnavailable):
                await relay.run_once()

    run(scenario)
    assert one(conn, "select count(*) as n from parked_events")["n"] == 0


REFUSE = """
    create function realtime.refuse() returns trigger language plpgsql as $$
    begin
        if new.payload ->> 'content' = 'bad' and new.topic like 'user:%' then
            raise exception 'not this one' using errcode = 'data_exception';
        end if;
        return new;
    end $$;
    create trigger refuse before insert on realtime.messages for each row execute function realtime.refuse()
"""


def test_what_the_database_refuses_is_parked_whole_and_its_neighbours_are_sent_once(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Of three the middle one is refused at its last broadcast: nothing of it stays, and nothing of the first try."""
    conversation = make_conversation(conn, make_user(conn))
    for content in ("one", "bad", "three"):
        append_message(conn, conversation, content)
    with psycopg.connect(admin_url) as admin:
        admin.execute(REFUSE)

    async def scenario() -> None:
        async with held_relay(database_url, supabase_sink()) as relay:
            assert await relay.run_once() == 3

    run(scenario)
    assert [row["payload"]["content"] for row in broadcasts(admin_url)] == ["one", "one", "three", "three"]
    parked = one(conn, "select payload ->> 'content' as content, reason from parked_events")
    assert parked["content"] == "bad"
    assert parked["reason"].startswith("not this one")
    assert one(conn, "select delivered_count from relay_cursors where sink = 'supabase'")["delivered_count"] == 2
