"""A process serves the last stage that it knows while the database is away."""

import asyncio
import contextlib

import psycopg
from psycopg.rows import DictRow

from realtime_bridge.rollout.dial.follower import Dial
from tests.integration.rollout.stages import put_stage
from tests.relays import run
from tests.waiting import eventually


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
