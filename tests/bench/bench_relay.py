"""How far the relay is from the limit: `realtime.send` with the same payloads and nothing around it.

Run by hand: `.venv/bin/python -m tests.bench.bench_relay [--events 20000] [--rounds 3] [--json]`. Both sides run in
turn in one process on one database; compare the ratio, not the rates.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from migrations.upgrade import upgrade
from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from realtime_bridge.relay.loop import Relay
from realtime_bridge.shared import database as db
from realtime_bridge.shared import sql
from realtime_bridge.supabase import database
from realtime_bridge.supabase.database import MAX_BATCH, DatabaseTransport
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.sink import RealtimeService, SupabaseSink
from tests.factories import append_message, make_conversation, make_user

CONVERSATIONS = 50
SEND = sql.Statements(database.__file__)["send"]


def fill(connection: psycopg.Connection[Any], events: int) -> None:
    account, member = make_user(connection), make_user(connection)
    conversations = [make_conversation(connection, account, member) for _ in range(CONVERSATIONS)]
    with connection.transaction():
        for number in range(events):
            append_message(connection, conversations[number % CONVERSATIONS], f"message {number}")


def raw(connection: psycopg.Connection[Any], rows: list[tuple[str, str, Jsonb]]) -> float:
    """The limit: the same broadcasts in batches of the same size, one transaction each; seconds."""
    started = time.perf_counter()
    for start in range(0, len(rows), MAX_BATCH):
        batch = rows[start : start + MAX_BATCH]
        values = {
            "topics": [topic for topic, _, _ in batch],
            "events": [event for _, event, _ in batch],
            "payloads": [payload for _, _, payload in batch],
        }
        with connection.transaction():
            connection.execute(SEND, values)
    return time.perf_counter() - started


async def relayed(url: str) -> float:
    """Read, broadcast and settle the whole log from its beginning; seconds."""
    pool = db.pool(url, name="bench", size=3)
    await pool.open()
    try:
        async with pool.connection() as connection:
            await connection.execute("update relay_cursors set high_water = 0, holes = '[]' where sink = 'supabase'")
        relay = Relay(sink=SupabaseSink(RealtimeService(DatabaseTransport(Way(hold_s=0.0)))), pool=pool, owner="bench")
        await relay.acquire()
        started = time.perf_counter()
        while await relay.run_once():
            pass
        return time.perf_counter() - started
    finally:
        await pool.close()


def broadcast_rows(admin_url: str) -> list[tuple[str, str, Jsonb]]:
    with psycopg.connect(admin_url) as admin:
        found = admin.execute("select topic, event, payload from realtime.messages").fetchall()
        return [(topic, event, Jsonb(payload)) for topic, event, payload in found]


def clear(admin_url: str) -> None:
    with psycopg.connect(admin_url) as admin:
        admin.execute("truncate realtime.messages")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedPostgres(Path(directory) / "data")
        server.start()
        try:
            report(measure(server, options.events, options.rounds), as_json=options.json)
        finally:
            server.stop()


def measure(server: EmbeddedPostgres, events: int, rounds: int) -> dict[str, float]:
    apply_shape(server.admin_url())
    upgrade(server.url())
    limits, ours, count = [], [], 0
    with psycopg.connect(server.url(), autocommit=True) as connection:
        fill(connection, events)
        for _ in range(rounds):
            clear(server.admin_url())
            ours.append(asyncio.run(relayed(server.url())))
            rows = broadcast_rows(server.admin_url())
            count = len(rows)
            clear(server.admin_url())
            limits.append(raw(connection, rows))
    limit, relay = count / statistics.median(limits), count / statistics.median(ours)
    return {"broadcasts": count, "raw_per_s": limit, "relay_per_s": relay, "ratio": relay / limit}


def report(result: dict[str, float], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result))  # noqa: T201
        return
    print(f"raw realtime.send  {result['raw_per_s']:>10,.0f} broadcasts/s")  # noqa: T201
    print(f"relay              {result['relay_per_s']:>10,.0f} broadcasts/s")  # noqa: T201
    print(f"ratio              {result['ratio']:>10.2f}   ({result['broadcasts']:,.0f} broadcasts a round)")  # noqa: T201


if __name__ == "__main__":
    main()
