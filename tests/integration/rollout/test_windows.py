"""Measured slots in Postgres."""

from datetime import UTC, datetime

import psycopg
from psycopg.rows import DictRow

from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate import latency, slots
from realtime_bridge.rollout.gate.slots import Sample
from tests.relays import run

FLAG = "chat_realtime_provider"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def test_several_writers_add_to_one_slot(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Counts and histograms are summed, the run of failures is the longest, and a slot is read when it is over."""
    supabase = Sample(
        side=Side.SUPABASE, sent=3, seen=2, lost=1, attempts=3, latency_counts=latency.histogram([4.0, 900.0])
    )
    legacy = Sample(side=Side.LEGACY, consecutive_failures=2)

    async def write_and_read() -> None:
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            async with connection.transaction():
                await slots.add(connection, FLAG, [supabase, legacy])
            conn.execute("update parity_windows set window_start = %s", (LONG_AGO,))
            await slots.add(connection, FLAG, [supabase, Sample(side=Side.LEGACY, consecutive_failures=1)])
            first = await slots.read(connection, FLAG, LONG_AGO)
            assert {slot.window_start for slot in first} == {LONG_AGO}, "the slot that is now is not over"
            assert [(slot.side, slot.sent) for slot in first] == [(Side.LEGACY, 0), (Side.SUPABASE, 3)]

    run(write_and_read)


def test_adding_twice_adds_up(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """A row that is there grows by the new counts, bucket by bucket."""
    sample = Sample(side=Side.LEGACY, seen=2, consecutive_failures=4, latency_counts=latency.histogram([4.0, 900.0]))

    async def write_and_read() -> None:
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            for _ in range(3):  # in one slot or, at its end, in two: the sum is the same
                await slots.add(connection, FLAG, [sample])
        rows = conn.execute("select * from parity_windows").fetchall()
        assert sum(row["seen_count"] for row in rows) == 6
        assert [sum(counts) for counts in zip(*(row["latency_counts"] for row in rows), strict=True)] == (
            latency.histogram([4.0, 4.0, 4.0, 900.0, 900.0, 900.0])
        )
        assert max(row["consecutive_failures"] for row in rows) == 4

    run(write_and_read)
