"""The canary: its own corner of the log, what it takes for lost, and that it is alone in measuring."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from realtime_bridge.event_log import leases
from realtime_bridge.fleet import reports
from realtime_bridge.fleet.reports import Report
from realtime_bridge.parity import canary_log
from realtime_bridge.parity.canary import LOOK_EVERY_S, WARM_UP_TIMEOUT_S, Canary
from realtime_bridge.parity.ears import Ear, Hear
from realtime_bridge.parity.ledger import UNSEEN_AFTER_S, Ledger
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.shared.canary_user import CANARY_ID
from realtime_bridge.shared.topics import conversation_topic
from realtime_bridge.supabase.database import DatabaseTransport
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.sink import RealtimeService, SupabaseSink
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user
from tests.relays import held_relay, open_pool
from tests.waiting import eventually


class DeafEar:
    """Joined, and hears what the test says."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.is_joined = True

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class Stage:
    """A canary on a clock of its own, step by step."""

    def __init__(self, database_url: str) -> None:
        self.now = 1_000.0
        self.fed = set(Side)
        self.ledger = Ledger()
        self.ears: Sequence[Ear] = [DeafEar(side) for side in Side]
        self.canary = Canary(
            database_url=database_url,
            ears=self._make_ears,
            feeds=lambda: self.fed,
            rate_per_s=lambda: 10.0,
            ledger=self.ledger,
            clock=lambda: self.now,
        )

    def _make_ears(self, _conversation_id: int, _hear: Hear) -> Sequence[Ear]:
        return self.ears

    async def send(self, connection: psycopg.AsyncConnection[Any], conversation_id: int) -> int:
        return await self.canary.run_once(connection, conversation_id, self.ears)

    def hear(self, seq: int, *sides: Side) -> None:
        for side in sides or tuple(Side):
            self.canary._hear(side, {"seq": seq})


async def connect(database_url: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(database_url, autocommit=True)


def test_one_conversation_of_nobody(conn: psycopg.Connection[DictRow], database_url: str) -> None:
    """Created once however often asked; its account is no tenant's, and one connection at a time measures."""

    async def check() -> None:
        async with await connect(database_url) as first, await connect(database_url) as second:
            assert await canary_log.take_lock(first)
            assert not await canary_log.take_lock(second)
            assert await canary_log.ensure(first) == await canary_log.ensure(first)
        async with await connect(database_url) as third:
            async with asyncio.timeout(10):
                while not await canary_log.take_lock(third):  # noqa: ASYNC110 - the server says it only so
                    await asyncio.sleep(0.05)

    asyncio.run(check())
    row = one(conn, "select count(*) as count, min(user_id::text) as account from conversations")
    assert (row["count"], row["account"]) == (1, str(CANARY_ID))


def test_nothing_of_it_stands_among_what_people_wrote(conn: psycopg.Connection[DictRow], database_url: str) -> None:
    """No message, no id: what comes next has the next number. What is heard of it has the fields of any message."""
    account = make_user(conn)
    theirs = make_conversation(conn, account)
    append_message(conn, theirs)

    async def measure() -> None:
        async with await connect(database_url) as connection:
            conversation_id = await canary_log.ensure(connection)
            sent = [await canary_log.append(connection, conversation_id) for _ in range(3)]
            assert sent == [1, 2, 3]

    asyncio.run(measure())
    append_message(conn, theirs)
    ids = conn.execute("select id from chat_messages order by id").fetchall()
    assert [row["id"] for row in ids] == [ids[0]["id"], ids[0]["id"] + 1]
    assert make_conversation(conn, account) == theirs + 1
    payloads = conn.execute("select payload from chat_events where type = 'message.new' order by id").fetchall()
    told, canary, *_ = [row["payload"] for row in payloads]
    assert {name: type(value) for name, value in canary.items() if name != "senderId"} == {
        name: type(value) for name, value in told.items() if name != "senderId"
    }


def test_only_what_a_sink_has_settled_can_be_lost(conn: psycopg.Connection[DictRow], database_url: str) -> None:
    """Beyond the mark, in a hole and parked are late; below the mark and unseen in two looks is lost."""

    async def check() -> None:
        stage = Stage(database_url)
        async with await connect(database_url) as connection:
            conversation_id = await canary_log.ensure(connection)
            stage.hear(await stage.send(connection, conversation_id))
            seqs = [await stage.send(connection, conversation_id) for _ in range(5)]
            ids = [one(conn, "select id, event_id from chat_events where seq = %(seq)s", seq=seq) for seq in seqs]
            hole = [{"first": ids[1]["id"], "last": ids[1]["id"], "xmax": 1}]
            conn.execute(
                "update relay_cursors set high_water = %s, holes = %s where sink = 'supabase'",
                (ids[3]["id"], Jsonb(hole)),
            )
            conn.execute(
                "insert into parked_events (sink, id, event_id, account_id, conversation_id, seq, type, payload,"
                " origin, created_at, reason) select 'supabase', id, event_id, account_id, conversation_id, seq, type,"
                " payload, origin, created_at, 'test' from chat_events where seq = %s",
                (seqs[2],),
            )
            stage.now += UNSEEN_AFTER_S + 1
            for _ in range(3):
                await stage.canary._look(connection, conversation_id)
                stage.now += LOOK_EVERY_S
        figures = stage.ledger.take(Side.SUPABASE)
        assert figures.lost == 2  # the first and the fourth
        assert stage.ledger.waiting(Side.SUPABASE) == 3
        assert stage.ledger.take(Side.LEGACY).lost == 0, "its cursor has not moved"

    asyncio.run(check())


def test_nothing_counts_before_a_side_was_heard(database_url: str) -> None:
    """After a change of stage, and after its socket broke, a side begins anew; one that stays silent is a failure."""

    async def check() -> None:
        stage = Stage(database_url)
        async with await connect(database_url) as connection:
            conversation_id = await canary_log.ensure(connection)
            stage.hear(await stage.send(connection, conversation_id))
            seq = await stage.send(connection, conversation_id)
            assert (stage.ledger.waiting(Side.LEGACY), stage.ledger.waiting(Side.SUPABASE)) == (1, 1)
            stage.hear(seq)
            stage.fed = {Side.LEGACY}
            await stage.send(connection, conversation_id)
            assert (stage.ledger.waiting(Side.LEGACY), stage.ledger.waiting(Side.SUPABASE)) == (1, 0)
            stage.fed = set(Side)
            for _ in range(3):
                stage.now += WARM_UP_TIMEOUT_S / 2 + 1
                await stage.send(connection, conversation_id)
            assert stage.ledger.waiting(Side.SUPABASE) == 0
            figures = stage.ledger.take(Side.SUPABASE)
            assert (figures.seen, figures.lost, figures.unjoined) == (1, 0, 1)

    asyncio.run(check())


def test_what_is_old_is_deleted_once_every_sink_is_past_it(
    conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """The canary's rows are nobody's history; what a sink has still to deliver stays."""

    async def check() -> None:
        stage = Stage(database_url)
        async with await connect(database_url) as connection:
            conversation_id = await canary_log.ensure(connection)
            for _ in range(3):
                await stage.send(connection, conversation_id)
            conn.execute("update chat_events set created_at = created_at - interval '2 hours' where seq <= 2")
            conn.execute("update relay_cursors set lease_until = now() + interval '1 hour'")
            assert await canary_log.forget(connection, conversation_id) == 0
            conn.execute("update relay_cursors set high_water = (select max(id) from chat_events)")
            append_message(conn, conversation_id, "of the version before")
            assert await canary_log.forget(connection, conversation_id) == 2
            assert one(conn, "select count(*) as count from chat_messages")["count"] == 0

    asyncio.run(check())


def test_who_delivers_leaves_the_measuring_to_who_does_not(database_url: str) -> None:
    """A stall of the delivering bridge does not stall who measures it; alone, it measures itself."""

    async def check() -> None:
        async with open_pool(database_url) as pool, pool.connection() as connection:
            states = {
                name: Report(
                    bridge=name, provider="rollout", sinks={}, feed_mode="full", version=1, has_canary=name != "deaf"
                )
                for name in ("delivers", "deaf", "stands by")
            }

            async def is_for_others(name: str) -> bool:
                return await reports.has_outsider(connection, name)

            await leases.claim(connection, "legacy", "delivers")
            for name, expected in (("delivers", False), ("deaf", False), ("stands by", True)):
                await reports.report(connection, states[name])
                assert await is_for_others("delivers") is expected, name
            assert not await is_for_others("stands by")
            await leases.claim(connection, "supabase", "stands by")
            assert not await is_for_others("delivers"), "each delivers to a side: nobody is outside"
            await reports.leave(connection, "stands by")
            assert not await is_for_others("delivers")

    asyncio.run(check())


def test_a_canary_gives_its_lock_to_an_outsider(database_url: str) -> None:
    """It ends its own measuring when one appears, and takes it up again when that one is gone."""

    async def check() -> None:
        stage = Stage(database_url)
        outside = False

        async def is_for_others(_: psycopg.AsyncConnection[Any]) -> bool:
            return outside

        stage.canary.is_for_others = is_for_others
        stage.canary.clock = time.monotonic
        task = asyncio.create_task(stage.canary.run())
        async with await connect(database_url) as other:
            await eventually(lambda: stage.canary.is_measuring, "the canary")
            assert not await canary_log.take_lock(other)
            outside = True
            async with asyncio.timeout(15):
                while not await canary_log.take_lock(other):  # noqa: ASYNC110 - the server says it only so
                    await asyncio.sleep(0.05)
            assert not stage.canary.is_measuring
        outside = False
        await eventually(lambda: stage.canary.is_measuring, "the canary again")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(check())


def test_nobody_pays_for_an_inbox_of_the_canary(
    conn: psycopg.Connection[DictRow], database_url: str, admin_url: str
) -> None:
    """A message of the canary is one broadcast, in its conversation, where it listens; nobody listens to its inbox."""

    async def scenario() -> None:
        async with await connect(database_url) as connection:
            conversation_id = await canary_log.ensure(connection)
            service = RealtimeService(DatabaseTransport(Way(hold_s=0.0)), without_inbox=[CANARY_ID])
            async with held_relay(database_url, SupabaseSink(service)) as relay:
                await canary_log.append(connection, conversation_id)
                assert await relay.run_once() == 1
        with psycopg.connect(admin_url) as admin:
            assert admin.execute("select topic from realtime.messages").fetchall() == [
                (conversation_topic(conversation_id),)
            ]

    asyncio.run(scenario())
