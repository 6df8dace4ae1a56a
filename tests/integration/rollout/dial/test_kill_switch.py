"""The kill switch beside whatever is slow: nobody who counts users holds the dial while he does."""

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.rollout import adoption, changes
from realtime_bridge.rollout.dial import stages
from realtime_bridge.rollout.dial.errors import RolloutError
from realtime_bridge.rollout.guide import UNKNOWN
from realtime_bridge.rollout.judgement import evaluate
from realtime_bridge.rollout.metrics import LEFT
from realtime_bridge.rollout.operators import Who
from realtime_bridge.rollout.wishes import Wish
from tests.integration.rollout.keeping import judge_once, keeping, put_failures
from tests.integration.rollout.operator import KEEPER, Operator
from tests.integration.rollout.stages import FLAG, audit, dial, put_slots, put_stage
from tests.relays import run
from tests.waiting import wait_for

BOUND_S = 20.0  # where nothing is waited for


@pytest.fixture
def slow_count(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """The table of who is heard on legacy, held: whoever counts users waits until this is rolled back."""
    with psycopg.connect(database_url) as holder:
        holder.execute("lock table legacy_listeners in access exclusive mode")
        yield holder
        holder.rollback()


def waiting(conn: psycopg.Connection[DictRow]) -> bool:
    query = "select from pg_locks where not granted and relation = 'legacy_listeners'::regclass"
    return conn.execute(query).fetchone() is not None


async def go_on(database_url: str, label: str) -> int:
    wish = Wish(flag=FLAG, stage=stages.parse(label), by=Who(actor="alice"), why="next")
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        return await changes.turn(connection, wish, (await evaluate(connection, FLAG)).verdict)


async def kill(database_url: str) -> int | None:
    """Roll back, waiting for nobody who holds the dial."""
    options = "-c lock_timeout=100"
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True, options=options) as connection:
        return await changes.roll_back(connection, FLAG, by=Who(actor="bob"), why="complaints")


def test_the_kill_switch_does_not_wait_for_who_counts_users(
    database_url: str, conn: psycopg.Connection[DictRow], slow_count: psycopg.Connection[Any]
) -> None:
    """Somebody goes to complete and is still counting who is left: the other one is off at once, and he is refused."""
    put_stage(conn, "100")
    put_slots(conn)
    conn.execute(KEEPER, (FLAG,))

    async def both() -> None:
        going_on = asyncio.create_task(go_on(database_url, "complete"))
        try:
            await asyncio.to_thread(wait_for, lambda: waiting(conn), "somebody who counts")
            assert await kill(database_url) is not None
        finally:
            slow_count.rollback()
            with pytest.raises(RolloutError, match="skips"):
                await going_on

    run(both)
    assert (dial(conn)[0], audit(conn)[0]["actor"]) == ("off", "bob")


def test_a_step_that_cuts_nobody_off_counts_nobody(
    database_url: str, conn: psycopg.Connection[DictRow], slow_count: psycopg.Connection[Any]
) -> None:
    """From 10 to 25 % nobody's socket is closed, so who is left there is not asked."""
    assert not slow_count.closed
    put_stage(conn, "10")
    put_slots(conn)
    conn.execute(KEEPER, (FLAG,))

    async def bounded() -> None:
        await asyncio.wait_for(go_on(database_url, "25"), BOUND_S)

    run(bounded)
    assert dial(conn)[0] == "ramp 25"


def test_the_gate_turns_back_while_users_are_counted(
    database_url: str, conn: psycopg.Connection[DictRow], slow_count: psycopg.Connection[Any]
) -> None:
    """The keeper judges beside its count, and waits for none."""
    assert not slow_count.closed
    put_stage(conn, "100")
    put_failures(conn)

    async def keep() -> None:
        async with keeping(database_url) as (keeper, _):
            assert await keeper.run_once() == 1
            running = asyncio.create_task(keeper.run())
            try:
                await asyncio.to_thread(wait_for, lambda: waiting(conn), "the keeper's count")
            finally:
                keeper.stop()
                await running

    run(keep)
    assert (dial(conn)[0], audit(conn)[0]["actor"]) == ("off", "gate")


def test_what_cannot_be_counted_is_unknown(
    database_url: str,
    conn: psycopg.Connection[DictRow],
    slow_count: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither the status nor the metrics guess; nobody goes to complete, by hand or by plan, until there is a count."""
    monkeypatch.setattr(adoption, "TIMEOUT_S", 0.2)
    operator = Operator(database_url)
    put_stage(conn, "100")
    put_slots(conn)
    LEFT.labels(FLAG).set(7)
    conn.execute(
        "insert into rollout_plans (flag, steps, state, reason, created_by)"
        " values (%s, '{complete}', 'running', 'spring', 'alice')",
        (FLAG,),
    )
    assert judge_once(database_url) == 0
    assert not [sample for metric in LEFT.collect() for sample in metric.samples], "no figure of before"
    conn.execute(KEEPER, (FLAG,))
    status = operator.read("rollout status")
    assert status["adoption"] is None
    assert status["advice"] == f"The plan waits at ramp 100. {UNKNOWN}"
    operator.ok("rollout plan --stop --why 'by hand'")
    assert UNKNOWN in operator.ok("rollout status")
    assert operator.next_command() == "crossfade rollout left"
    for line in ("rollout left", "rollout advance"):
        assert "did not count in time" in operator.refused(line)
    slow_count.rollback()
    assert operator.read("rollout left")["left"] == 0
    operator.ok("rollout advance")
