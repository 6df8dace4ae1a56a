"""What one account can make a bridge hold is bounded in bytes, and what a burst needed is given back."""

import os
import subprocess
import sys

import psycopg
from psycopg.rows import DictRow

from realtime_bridge.shared import memory
from realtime_bridge.shared.memory import MemoryKeeper
from tests.factories import append_message, make_conversation, make_user

Conn = psycopg.Connection[DictRow]
EVENTS, BYTES = 400, 150_000  # 60 MB of payloads; to decode a page of them all took half a gigabyte
MOST_MB = 45  # for four relays at once; with batches, or pages, that are bounded by number alone it is 57 and more


def test_large_payloads_make_small_pages(database_url: str, conn: Conn) -> None:
    """Four hundred events of 150 KB (as large as numbers like 1e308 may grow) for three people, through every sink."""
    account = make_user(conn)
    conversation = make_conversation(conn, account, make_user(conn), make_user(conn))
    with conn.transaction():
        for _ in range(EVENTS):
            append_message(conn, conversation)
    grow = "update chat_events set payload = jsonb_set(payload, '{metadata}', jsonb_build_object('n', repeat('n', %s)))"
    conn.execute(grow, (BYTES,))
    environment = os.environ | {"DATABASE_URL": database_url}
    command = [sys.executable, "-m", "tests.attacks.bridge.flooded_relays"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    delivered = conn.execute("select sink from relay_cursors where delivered_count = %s", (EVENTS,)).fetchall()
    assert len(delivered) == 4, result.stderr
    assert int(result.stdout.splitlines()[-1]) < MOST_MB


def test_memory_is_given_back_when_the_process_is_calm() -> None:
    """A burst's memory in pieces goes back to the system; not while somebody is served, and not for a trifle."""
    used, now = [0.0], [0.0]
    keeper = MemoryKeeper(processor=lambda: used[0], clock=lambda: now[0])

    pieces = [bytes(40_000) for _ in range(2_000)]
    burst = pieces[::2]
    kept = pieces[1::2]  # in between, so that the allocator cannot give back by itself
    del pieces
    now[0], used[0] = 5.0, 4.0
    assert keeper.run_once() == 0  # busy
    burst.clear()
    grown = memory.resident_bytes()
    now[0] = 10.0
    assert keeper.run_once() > 25_000_000
    assert memory.resident_bytes() < grown - 25_000_000
    now[0] = 15.0
    assert keeper.run_once() == 0  # nothing has grown since
    assert len(kept) == 1_000
