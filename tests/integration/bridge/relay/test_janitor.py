"""What the bridge does when time has come."""

import asyncio

import psycopg
import pytest
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from realtime_bridge.event_log.janitor import Janitor
from tests.conftest import one
from tests.factories import make_conversation, make_user
from tests.relays import open_pool


def test_many_bridges_wake_each_conversation_once(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Three at once open all that has slept long enough, each with one event; what sleeps on is left alone."""
    account = make_user(conn)
    ids = [make_conversation(conn, account) for _ in range(30)]
    conn.execute("update conversations set status = 'snoozed', snoozed_until = now() - interval '1 second'")
    conn.execute("update conversations set snoozed_until = now() + interval '1 hour' where id = %s", (ids[0],))

    async def wake() -> list[int]:
        async with open_pool(database_url) as pool:
            return await asyncio.gather(*(Janitor(pool, retention_days=30).wake_once() for _ in range(3)))

    assert sum(asyncio.run(wake())) == 29
    rows = conn.execute(
        "select c.id from conversations c join chat_events e on e.conversation_id = c.id and e.seq = c.last_seq"
        " where c.status = 'open' and e.type = 'conversation.updated' and e.payload ->> 'status' = 'open'"
    ).fetchall()
    assert sorted(row["id"] for row in rows) == ids[1:]
    assert one(conn, "select status from conversations where id = %(id)s", id=ids[0])["status"] == "snoozed"


def test_answers_are_forgotten_after_a_day(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """What an Idempotency-Key kept goes when nobody may ask for it any more, and not before."""
    conn.execute(
        "insert into idempotency_records (id, fingerprint, sealed_answer, created_at)"
        " select sha256(n::text::bytea), sha256('x'), 'x', now() - n * interval '1 hour' from generate_series(1, 30) n"
    )

    async def scenario() -> None:
        async with open_pool(database_url) as pool:
            await Janitor(pool, retention_days=30).run_once()

    asyncio.run(scenario())
    assert one(conn, "select count(*) as n from idempotency_records")["n"] == 23


@pytest.mark.parametrize("is_left", [False, True], ids=["behind", "left for later"])
@pytest.mark.parametrize(("last_held_days_ago", "is_kept"), [(29, True), (31, False)])
def test_retention_waits_for_a_sink_that_was_held_within_its_time(
    database_url: str, conn: psycopg.Connection[DictRow], last_held_days_ago: int, *, is_kept: bool, is_left: bool
) -> None:
    """A bridge that was down finds what it has yet to deliver, also what other accounts went before; a sink that was
    given up keeps nothing for ever. That others are done with it all does not count.
    """
    conn.execute(
        "create table crossfade.chat_events_2020_01_06 partition of chat_events"
        " for values from ('2020-01-06') to ('2020-01-13')"
    )
    conn.execute(
        "insert into chat_events (event_id, account_id, conversation_id, seq, type, payload, created_at)"
        " values (gen_random_uuid(), gen_random_uuid(), 1, 0, 'message.new', '{}', '2020-01-07')"
    )
    newest = one(conn, "select max(id) as id from chat_events")["id"]
    cursor = (newest, Jsonb([{"first": 1, "last": newest, "xmax": 1}])) if is_left else (0, Jsonb([]))
    put = (
        "insert into relay_cursors (sink, high_water, holes, lease_until)"
        " values (%s, %s, %s, now() - make_interval(days => %s))"
        " on conflict (sink) do update set high_water = excluded.high_water, holes = excluded.holes,"
        " lease_until = excluded.lease_until"
    )
    conn.execute(put, ("legacy", *cursor, last_held_days_ago))
    conn.execute(put, ("supabase", newest, Jsonb([]), 0))

    async def scenario() -> None:
        async with open_pool(database_url) as pool:
            await Janitor(pool, retention_days=30).run_once()

    asyncio.run(scenario())
    found = one(conn, "select to_regclass('crossfade.chat_events_2020_01_06') is not null as found")["found"]
    conn.execute("drop table if exists crossfade.chat_events_2020_01_06")
    conn.execute("update crossfade.event_floor set id = 0")
    conn.execute("update relay_cursors set high_water = 0, holes = '[]', lease_until = '-infinity'")
    assert found is is_kept
