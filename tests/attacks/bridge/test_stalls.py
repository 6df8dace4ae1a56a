"""A bridge that stands still again and again: the gate sees what its users see."""

import asyncio
import time
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from realtime_bridge.rollout.gate.findings import Outcome
from realtime_bridge.rollout.gate.verdict import Verdict
from realtime_bridge.rollout.judgement import evaluate
from tests.attacks.bridge import bridge_process
from tests.integration.rollout.stages import FLAG, dial, put_stage
from tests.waiting import wait_for

POLICY = {"window_s": 5, "max_window_s": 15, "min_samples": 20, "pass_windows": 1}
RUNS_S, STANDS_S, CYCLES = 2.5, 1.5, 3
PASS_TIMEOUT_S = 60.0  # the first window begins within seconds; on a busy machine not every one is good

pytestmark = pytest.mark.slow


def verdict(database_url: str) -> Verdict:
    async def judge() -> Verdict:
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            return (await evaluate(connection, FLAG)).verdict

    return asyncio.run(judge())


def test_a_bridge_that_stands_still_does_not_advance(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow], tmp_path: Path
) -> None:
    """Stopped for 1.5 s of every 4 s, users wait for a second and more; the gate that passed before holds or fails."""
    committing = sql.SQL("alter database {} set synchronous_commit = on")  # else what Realtime reads is late by itself
    conn.execute(committing.format(sql.Identifier(conn.info.dbname)))
    conn.execute("update rollout_stages set policy = %s", (Jsonb(POLICY),))
    with (
        bridge_process.endpoint(admin_url, tmp_path) as supabase_url,
        bridge_process.bridge(database_url, supabase_url, tmp_path) as bridge,
    ):
        put_stage(conn, "shadow", minutes_ago=0)
        wait_for(lambda: verdict(database_url).outcome is Outcome.PASS, "the gate to pass", PASS_TIMEOUT_S)
        for _ in range(CYCLES):
            time.sleep(RUNS_S)
            bridge_process.stall(bridge, seconds=STANDS_S)
        stalled = verdict(database_url)
    print(dial(conn)[0], stalled.outcome, *stalled.reasons)  # noqa: T201 - the figures are the point
    assert stalled.outcome is not Outcome.PASS
    if dial(conn)[0] == "shadow":  # else it has been turned back, which is as good
        assert any("p95" in reason for reason in stalled.reasons), "not for want of samples"
