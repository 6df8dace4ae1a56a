"""Set the dial and the figures of its gate with plain SQL, as if time had passed."""

from typing import Any

import psycopg
from psycopg.rows import DictRow

from realtime_bridge.rollout.dial import stages
from realtime_bridge.rollout.gate import latency

FLAG = stages.FLAG
SLOTS = 60  # five minutes
FAST_MS = 20.0


def put_stage(conn: psycopg.Connection[DictRow], label: str, *, minutes_ago: float = 10.0) -> int:
    """Turn the dial without gates or audit; return the version."""
    stage = stages.parse(label)
    row = conn.execute(
        "update rollout_stages set stage = %s, buckets = %s, version = version + 1, revision = revision + 1,"
        " since = date_bin('5 seconds', now() - make_interval(secs => %s), '2020-01-01') returning version",
        (stage.name.value, stage.buckets, minutes_ago * 60),
    ).fetchone()
    assert row is not None
    return int(row["version"])


def put_slots(conn: psycopg.Connection[DictRow], *, per_slot: int = 50, slots: int = SLOTS, **supabase: Any) -> None:
    """Measure both sides from the stage's beginning on: healthy, but for what `supabase` says of each of its slots."""
    conn.execute("delete from parity_windows")
    healthy = {
        "sent_count": per_slot,
        "seen_count": per_slot,
        "attempt_count": per_slot,
        "latency_counts": latency.histogram([FAST_MS] * per_slot),
    }
    for side, values in (("legacy", healthy), ("supabase", healthy | supabase)):
        columns = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, values))
        places = psycopg.sql.SQL(", ").join(map(psycopg.sql.Placeholder, values))
        statement = psycopg.sql.SQL(
            "insert into parity_windows (flag, side, window_start, {}) select s.flag, %(side)s,"
            " s.since + n * interval '5 seconds', {} from rollout_stages s, generate_series(0, %(slots)s - 1) as n"
        ).format(columns, places)
        conn.execute(statement, {**values, "side": side, "slots": slots})


def dial(conn: psycopg.Connection[DictRow]) -> tuple[str, int]:
    """Return the stage's label and version."""
    row = conn.execute("select stage, buckets, version from rollout_stages").fetchone()
    assert row is not None
    stage = stages.Stage(name=stages.StageName(row["stage"]), buckets=row["buckets"])
    return stage.label, row["version"]


def audit(conn: psycopg.Connection[DictRow]) -> list[DictRow]:
    """Return the audit, newest first."""
    return conn.execute("select * from rollout_audit order by id desc").fetchall()
