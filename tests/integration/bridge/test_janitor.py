"""What the bridge does when time has come."""

import asyncio

import psycopg
from psycopg.rows import DictRow

from realtime_bridge.janitor import Janitor
from tests.conftest import one
from tests.factories import make_conversation, make_user
from tests.integration.bridge.conftest import open_pool


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
