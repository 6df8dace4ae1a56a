"""The kill switch beside whatever is slow: nobody who counts users holds the dial while he does."""

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.rollout import changes, stages
from realtime_bridge.rollout.changes import Wish
from realtime_bridge.rollout.errors import StageRefused
from realtime_bridge.rollout.judgement import evaluate
from tests.integration.bridge.conftest import run
from tests.integration.rollout.operator import KEEPER
from tests.integration.rollout.stages import FLAG, audit, dial, put_slots, put_stage
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
    wish = Wish(flag=FLAG, stage=stages.parse(label), actor="alice", why="next")
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        return await changes.turn(connection, wish, (await evaluate(connection, FLAG)).verdict)


async def kill(database_url: str) -> int | None:
    """Roll back, waiting for nobody who holds the dial."""
    options = "-c lock_timeout=100"
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True, options=options) as connection:
        return await changes.roll_back(connection, FLAG, actor="bob", why="complaints")


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
            with pytest.raises(StageRefused):
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
    run(lambda: asyncio.wait_for(go_on(database_url, "25"), BOUND_S))
    assert dial(conn)[0] == "ramp 25"
