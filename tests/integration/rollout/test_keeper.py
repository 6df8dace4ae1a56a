"""The gate keeper turns back by itself, and one of several bridges judges."""

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.event_log import leases
from realtime_bridge.relay.health import SinkHealth
from realtime_bridge.rollout.gate import store
from realtime_bridge.rollout.gate.findings import Outcome
from realtime_bridge.rollout.judgement import evaluate
from tests.integration.rollout.keeping import judge_once, keeping, put_failures
from tests.integration.rollout.stages import FLAG, audit, dial, put_slots, put_stage
from tests.relays import open_pool, run


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
    assert "outage" in word or len(line["figures"]["windows"][0]["findings"]) == 16
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
            first = await leases.claim(connection, "supabase", "one", lease_s=0.0)
            await SinkHealth("supabase", pool).unheard(first, 6, "refused")
            assert (await evaluate(connection, FLAG)).verdict.outcome is Outcome.FAIL
            await leases.claim(connection, "supabase", "two")
            assert (await evaluate(connection, FLAG)).verdict.outcome is Outcome.HOLD

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
                lease = await leases.claim(connection, "supabase", "one")
                verdicts = []
                for count in (5, 6, 0):
                    await health.unheard(lease, count, "nothing arrived")
                    verdicts.append((await evaluate(connection, FLAG)).verdict)
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
                await store.release(connection, FLAG, "one")
            assert await second.run_once() == 1
            assert dial(conn)[0] == "off"

    run(both)
