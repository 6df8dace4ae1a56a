"""A plan goes on when gate, time and a second operator allow it."""

import psycopg
from psycopg.rows import DictRow

from realtime_bridge.rollout import rules
from realtime_bridge.rollout.operators import Who
from tests.integration.rollout.keeping import judge_once, put_failures
from tests.integration.rollout.stages import FLAG, audit, dial, put_slots, put_stage
from tests.relays import run


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
            await rules.start_plan(connection, FLAG, list(words), by=Who(actor="alice"), why="spring")

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
    put_stage(conn, "shadow")
    plan(database_url, "10:1s")
    conn.execute("update rollout_stages set needs_approval = true")
    put_slots(conn)
    assert [judge_once(database_url) for _ in range(2)] == [0, 0]
    assert conn.execute("select count(*) as n from rollout_approvals").fetchone() == {"n": 1}
    put_failures(conn)
    assert judge_once(database_url) == 1
    assert conn.execute("select state from rollout_approvals").fetchone() == {"state": "withdrawn"}
