"""The gate keeper turns back by itself, goes on by plan, and tells those concerned."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from realtime_bridge import cursors
from realtime_bridge.relay import Pool
from realtime_bridge.rollout import announcer, changes, judging, keeper
from realtime_bridge.rollout.announcer import Announcer
from realtime_bridge.rollout.bucket import bucket_of
from realtime_bridge.rollout.dial import Dial
from realtime_bridge.rollout.gates import Outcome
from realtime_bridge.rollout.keeper import GateKeeper, evaluate
from realtime_bridge.sink_health import SinkHealth
from realtime_bridge.sinks.base import SinkUnavailable
from realtime_bridge.transports.base import Broadcast
from tests.factories import make_user
from tests.integration.bridge.conftest import open_pool, run
from tests.integration.rollout.stages import FLAG, audit, dial, put_slots, put_stage
from tests.waiting import eventually


class RecordingTransport:
    """Keeps what it is given; fails as often as told."""

    transactional = False
    max_batch = 100

    def __init__(self) -> None:
        self.sent: list[Broadcast] = []
        self.failures = 0

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None) -> None:
        assert connection is None
        if self.failures:
            self.failures -= 1
            raise SinkUnavailable("not now")
        self.sent += broadcasts

    async def close(self) -> None: ...


@contextlib.asynccontextmanager
async def keeping(
    database_url: str, transport: RecordingTransport | None = None, owner: str = "one"
) -> AsyncIterator[tuple[GateKeeper, Pool]]:
    """A keeper that the test drives with `run_once`."""
    async with open_pool(database_url) as pool:
        told_by = Announcer(pool, transport=transport, legacy=None)
        yield GateKeeper(pool=pool, dial=Dial(database_url), told_by=told_by, owner=owner), pool


def judge_once(database_url: str, transport: RecordingTransport | None = None) -> int:
    """One round of a new keeper; return how many changes it made."""
    turned = []

    async def once() -> None:
        async with keeping(database_url, transport) as (keeper, _):
            turned.append(await keeper.run_once())
            await keeper.announce_once()

    run(once)
    return turned[0]


def put_failures(conn: psycopg.Connection[DictRow], seconds_ago: int = 0) -> None:
    """Six in a row, the last of them so long ago."""
    conn.execute(
        """
        update relay_cursors set consecutive_failures = 6, last_error = 'Supabase answered 500',
            last_error_at = clock_timestamp() - make_interval(secs => %s)
        where sink = 'supabase'
        """,
        (seconds_ago,),
    )


@pytest.mark.parametrize("stage", ["shadow", "10", "100"])
@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ({"error_count": 3}, "error rate"),
        ({"lost_count": 1}, "events lost"),
        ({"reordered_count": 1}, "out of order"),
        ({"consecutive_failures": 6}, ""),
    ],
)
def test_a_failing_gate_turns_back_by_itself(
    database_url: str, conn: psycopg.Connection[DictRow], stage: str, fault: dict[str, int], word: str
) -> None:
    """To off, with the reason and every figure in the audit; and then there is nothing left to do."""
    put_stage(conn, stage)
    put_slots(conn, **fault)
    if "consecutive_failures" in fault:  # of now: a run that was written down minutes ago is over
        put_failures(conn)
        word = "outage"
    assert judge_once(database_url) == 1
    assert dial(conn)[0] == "off"
    line = audit(conn)[0]
    assert (line["actor"], line["action"], line["to_stage"]) == ("gate", "gate_rollback", "off")
    assert word in line["why"]
    assert line["figures"]["outcome"] == "fail"
    assert "outage" in word or len(line["figures"]["windows"][0]["findings"]) == 10
    assert judge_once(database_url) == 0


def test_an_old_run_of_failures_is_no_outage(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """What a bridge that is gone wrote down an hour ago turns nothing."""
    put_stage(conn, "10")
    put_failures(conn, seconds_ago=3_600)
    assert judge_once(database_url) == 0


def test_a_successor_has_not_failed_yet(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """A killed bridge's failures end with its lease: another may reach what it could not."""
    put_stage(conn, "10")

    async def succeed() -> None:
        async with open_pool(database_url) as pool, pool.connection() as connection:
            first = await cursors.claim(connection, "supabase", "one", lease_s=0.0)
            await SinkHealth("supabase", pool).unheard(first, 6, "refused")
            assert (await evaluate(connection, FLAG))[0].outcome is Outcome.FAIL
            await cursors.claim(connection, "supabase", "two")
            assert (await evaluate(connection, FLAG))[0].outcome is Outcome.HOLD

    run(succeed)


def test_failures_of_an_earlier_stage_are_no_outage(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Who goes on after a repair is not turned back by what was before; by the next failure, yes."""
    put_failures(conn, seconds_ago=10)
    put_stage(conn, "10", minutes_ago=0)
    assert judge_once(database_url) == 0
    put_failures(conn)
    assert judge_once(database_url) == 1
    assert audit(conn)[0]["why"].endswith("an outage. The last: Supabase answered 500")


def test_probes_that_nobody_hears_are_an_outage(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """The bridge that delivers says so; one that does not hold the side's lease says nothing."""
    put_stage(conn, "10")

    async def listen_in_vain() -> None:
        async with open_pool(database_url) as pool:
            health = SinkHealth("supabase", pool)
            await health.unheard(None, 7, "nothing arrived")  # no lease: nothing is written down
            async with pool.connection() as connection:
                lease = await cursors.claim(connection, "supabase", "one")
                verdicts = []
                for count in (5, 6, 0):
                    await health.unheard(lease, count, "nothing arrived")
                    verdicts.append((await evaluate(connection, FLAG))[0])
        assert [verdict.outcome for verdict in verdicts] == [Outcome.HOLD, Outcome.FAIL, Outcome.HOLD]
        assert verdicts[1].reasons[-1] == "The last: 6 probes in a row were not heard: nothing arrived"

    run(listen_in_vain)


def test_at_complete_it_raises_an_alarm_and_leaves_the_dial(
    database_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Legacy is not fed any more, so going back is an operator's decision; the figures are kept."""
    put_stage(conn, "complete")
    put_slots(conn, lost_count=1)

    async def judge_twice() -> None:
        async with keeping(database_url) as (keeper, _):
            assert [await keeper.run_once() for _ in range(2)] == [0, 0]

    run(judge_twice)
    assert dial(conn)[0] == "complete"
    assert [(line["action"], line["to_stage"]) for line in audit(conn)] == [("gate_failed", None)]


def test_few_samples_hold_the_plan(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """A plan whose time is over waits for the samples that are missing."""
    put_stage(conn, "shadow")
    plan(database_url, "10:1s")
    put_slots(conn, per_slot=1)
    assert judge_once(database_url) == 0
    assert dial(conn)[0] == "shadow"


def plan(database_url: str, *words: str) -> None:
    async def start() -> None:
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await changes.start_plan(connection, FLAG, list(words), actor="alice", why="spring")

    run(start)


def test_a_plan_goes_on_when_gate_and_time_allow(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Not before the hold is over, one step at a time, and done at its end."""
    put_stage(conn, "shadow")
    plan(database_url, "10:30m", "25")
    put_slots(conn)
    assert judge_once(database_url) == 1
    assert dial(conn)[0] == "ramp 10"
    put_stage(conn, "10", minutes_ago=20)
    put_slots(conn)
    assert judge_once(database_url) == 0, "held for 30 minutes"
    put_stage(conn, "10", minutes_ago=31)
    put_slots(conn)
    assert judge_once(database_url) == 1
    assert dial(conn)[0] == "ramp 25"
    assert [line["actor"] for line in audit(conn)] == ["plan", "plan", "alice"]
    row = conn.execute("select state from rollout_plans").fetchone()
    assert row == {"state": "done"}


def test_a_paused_plan_is_judged_all_the_same(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """It does not go on, but a failing gate turns it back, and that ends the plan."""
    put_stage(conn, "shadow")
    plan(database_url, "10:1s")
    conn.execute("update rollout_plans set state = 'paused'")
    put_slots(conn)
    assert judge_once(database_url) == 0
    put_stage(conn, "shadow")
    put_slots(conn, lost_count=1)
    assert judge_once(database_url) == 1
    assert conn.execute("select state from rollout_plans").fetchone() == {"state": "stopped"}


def test_a_plan_waits_for_its_second_operator_and_is_judged_meanwhile(
    database_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """It asks once; then a fault turns back although the approval is still out."""
    conn.execute("update rollout_stages set needs_approval = true")
    put_stage(conn, "shadow")
    plan(database_url, "10:1s")
    put_slots(conn)
    assert [judge_once(database_url) for _ in range(2)] == [0, 0]
    assert conn.execute("select count(*) as n from rollout_approvals").fetchone() == {"n": 1}
    put_failures(conn)
    assert judge_once(database_url) == 1
    assert conn.execute("select state from rollout_approvals").fetchone() == {"state": "withdrawn"}


def test_windows_are_closed_once_and_for_good(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Slots that come later make new windows; those that are closed stay as they were judged."""
    put_stage(conn, "shadow")
    put_slots(conn, slots=30)
    judge_once(database_url)
    first = conn.execute("select * from rollout_windows order by number").fetchall()
    put_slots(conn, slots=60, lost_count=1)
    judge_once(database_url)
    second = conn.execute("select * from rollout_windows order by number").fetchall()
    assert [len(first), len(second)] == [2, 5]
    assert second[:2] == first


def test_only_one_bridge_judges_and_another_takes_over(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """The second stands by until the first is gone."""
    put_stage(conn, "shadow")

    async def both() -> None:
        async with keeping(database_url) as (first, pool), keeping(database_url, owner="two") as (second, _):
            await first.run_once()
            put_slots(conn, lost_count=1)
            assert await second.run_once() == 0
            assert dial(conn)[0] == "shadow"
            async with pool.connection() as connection:
                await judging.release(connection, FLAG, "one")
            assert await second.run_once() == 1
            assert dial(conn)[0] == "off"

    run(both)


def told(conn: psycopg.Connection[DictRow], provider: str, early: bool) -> UUID:
    """A user who holds an answer; `early` is in the first half of the buckets."""
    user = next(user for user in iter(lambda: make_user(conn), None) if (bucket_of(FLAG, user) < 5_000) is early)
    conn.execute(
        "insert into rollout_sessions (user_id, account_id, provider, expires_at) values (%s, %s, %s, now())",
        (user, user, provider),
    )
    return user


def test_those_whose_answer_changed_are_asked_to_ask_again(
    database_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Nobody else, with the version; also after an override."""
    early, late = told(conn, "socketio", early=True), told(conn, "socketio", early=False)
    transport = RecordingTransport()
    judge_once(database_url, transport)
    assert transport.sent == []
    version = put_stage(conn, "50", minutes_ago=0)
    judge_once(database_url, transport)
    (notice,) = transport.sent
    assert (notice.topic, notice.event) == (f"user:{early}:inbox", "rollout.changed")
    assert notice.payload == {"flag": FLAG, "version": version, "eventId": str(notice.id)}
    judge_once(database_url, transport)
    assert len(transport.sent) == 1, "its token has run out: it asks by itself, or is gone"
    conn.execute("update rollout_sessions set provider = 'supabase' where user_id = %s", (early,))
    conn.execute("insert into rollout_overrides values (%s, 'user', %s, 'supabase', 'w', 'me')", (FLAG, late))
    judge_once(database_url, transport)
    assert [notice.topic for notice in transport.sent[1:]] == [f"user:{late}:inbox"]


def test_who_has_not_asked_is_told_again(
    database_url: str, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A side that takes nothing is left alone for this time; the notice comes again until the client has asked."""
    monkeypatch.setattr(announcer, "BATCH", 1)
    monkeypatch.setattr(keeper, "REPEAT_S", 0.0)
    for _ in range(3):
        told(conn, "socketio", early=True)
    conn.execute("update rollout_sessions set expires_at = now() + interval '1 minute'")
    put_stage(conn, "50", minutes_ago=0)
    transport = RecordingTransport()
    transport.failures = 1
    heard = []

    async def announce() -> None:
        async with keeping(database_url, transport) as (one, _):
            await one.run_once()
            for _ in range(3):
                await one.announce_once()
                heard.append(len(transport.sent))
            conn.execute("update rollout_sessions set provider = 'supabase'")
            await one.announce_once()
            await one.announce_once()

    run(announce)
    assert heard == [0, 3, 6]
    assert len(transport.sent) == 6


@pytest.mark.parametrize("takes_over", [False, True])
def test_who_was_given_the_old_answer_just_after_the_notices_is_told(
    database_url: str, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch, takes_over: bool
) -> None:
    """The first round found nobody, the second does, of the same keeper or of its successor; then it is over."""
    monkeypatch.setattr(keeper, "REPEAT_S", 0.0)
    put_stage(conn, "50", minutes_ago=0)
    transport = RecordingTransport()
    heard = []

    async def announce() -> None:
        async with keeping(database_url, transport) as (one, _):
            if takes_over:
                async with (
                    keeping(database_url, transport, owner="two") as (other, pool),
                    pool.connection() as connection,
                ):
                    await other.run_once()
                    await other.announce_once()
                    await judging.release(connection, FLAG, "two")
            await one.run_once()
            await one.announce_once()
            for answer in ("socketio", "supabase", "socketio"):
                if answer == "socketio":
                    told(conn, answer, early=True)
                conn.execute("update rollout_sessions set provider = %s, expires_at = now() + '1 minute'", (answer,))
                await one.announce_once()
                heard.append(len(transport.sent))

    run(announce)
    assert heard == [1, 1, 1]


def test_a_side_that_broke_off_may_have_left_somebody(
    database_url: str, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those behind a refused batch nothing is known, so they count as one who can answer."""
    monkeypatch.setattr(announcer, "BATCH", 1)
    told(conn, "socketio", early=True)
    put_stage(conn, "50", minutes_ago=0)
    transport = RecordingTransport()
    counts = []

    async def announce() -> None:
        async with keeping(database_url, transport) as (one, pool):
            await one.run_once()
            reading = one._dial.reading
            assert reading is not None
            for transport.failures in (1, 0):
                announced = await Announcer(pool, transport=transport, legacy=None).announce(reading)
                counts.append(announced.may_answer)

    run(announce)
    assert counts == [1, 0]


def test_a_dial_survives_a_dead_database(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Its connections are cut: the last known stage serves, and the next change is known again within moments."""
    put_stage(conn, "25")

    async def cut() -> None:
        followed = Dial(database_url)
        task = asyncio.create_task(followed.run())
        await eventually(lambda: followed.reading, "the dial")
        cut_off = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'crossfade-dial'"
        assert conn.execute(cut_off).rowcount == 1
        assert followed.reading is not None
        assert followed.reading.stage.label == "ramp 25"
        put_stage(conn, "50")
        await eventually(lambda: followed.reading and followed.reading.stage.label == "ramp 50", "the new stage", 3)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    run(cut)


def test_a_dial_whose_database_never_answers_serves_what_it_knows(
    database_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """The URL leads nowhere after the first reading."""
    put_stage(conn, "25")

    async def lose() -> None:
        followed = Dial("postgresql://postgres@127.0.0.1:1/nowhere")
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            assert await followed.run_once(connection)
        task = asyncio.create_task(followed.run())
        await eventually(lambda: followed.age_s > 1.2, "a stale reading")
        assert followed.reading is not None
        assert followed.reading.stage.label == "ramp 25"
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    run(lose)
