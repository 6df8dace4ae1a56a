"""The two-phase run: events to many endpoints through kills and a restart of Postgres, then a ledger of what arrived.

The suite runs it small (test_webhooks.py); by hand at full size:

    .venv/bin/python -m tests.faults.webhooks.run --events 100000 --endpoints 20

Real processes: Postgres, `python -m realtime_bridge` (fan-out and sender), a receiver. The bridge is killed with
SIGKILL every few seconds that it works, and started again; Postgres is restarted once, after the first kill. All
endpoints are of one account, but for one of a stranger, who has a conversation of his own and may see no other.
"""

import argparse
import contextlib
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg

from migrations.upgrade import upgrade
from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from realtime_bridge.shared.environment import Environment
from realtime_bridge.shared.secrets import SecretBox, new_key
from tests.factories import make_conversation, make_user, make_webhook
from tests.faults.webhooks.ledger import TYPES, Ledger, read_ledger
from tests.faults.webhooks.processes import Bridge, free_port, start_receiver

KILL_EVERY_S = (3.0, 7.0)
FIRST_KILL_S = 0.2  # while the first deliveries are on their way, however fast the machine
KILL_TIMEOUT_S = 120
LOOK_EVERY_S = 0.5  # a look for what is open may read all that is delivered
CONVERSATIONS = 20
BATCH = 1_000
# Endpoints take turns in what they subscribe to, so that a missing or a wrong delivery cannot hide behind another.
PATTERNS = (["*"], ["message.*"], ["message.new"], ["message.status", "conversation.*"])


def run(
    events: int,
    endpoints: int,
    *,
    seed: int = 1,
    most_kills: int = 1_000_000,
    timeout_s: float = 3_600.0,
    say: Callable[[str], None] | None = None,
) -> Ledger:
    """Do one run and return its ledger."""
    with tempfile.TemporaryDirectory(prefix="webhook-run-") as name:
        directory = Path(name)
        directory.chmod(0o711)
        server = EmbeddedPostgres(directory / "data")
        server.start()
        try:
            with start_receiver(directory) as url:
                chance = random.Random(seed)
                return _run(
                    server,
                    directory,
                    url,
                    events,
                    endpoints,
                    chance,
                    most_kills=most_kills,
                    timeout_s=timeout_s,
                    say=say,
                )
        finally:
            server.stop()


def _run(
    server: EmbeddedPostgres,
    directory: Path,
    url: str,
    events: int,
    endpoints: int,
    chance: random.Random,
    *,
    most_kills: float,
    timeout_s: float,
    say: Callable[[str], None] | None,
) -> Ledger:
    apply_shape(server.admin_url())
    upgrade(server.url())
    key = new_key()
    box = SecretBox.from_env(Environment({"CROSSFADE_SECRETS_KEY": key}))
    assert box is not None
    with psycopg.connect(server.url(), autocommit=True) as connection:
        account, stranger = make_user(connection), make_user(connection)
        conversations = [make_conversation(connection, account) for _ in range(CONVERSATIONS)]
        conversations.append(make_conversation(connection, stranger))
        for number in range(endpoints):
            patterns = PATTERNS[number % len(PATTERNS)]
            make_webhook(connection, account, f"{url}/{number}", box, event_types=patterns, max_in_flight=50)
        make_webhook(connection, stranger, f"{url}/stranger", box)
    environment = os.environ | {
        "DATABASE_URL": server.url(),
        "SUPABASE_JWT_SECRET": "s" * 40,
        "CHAT_REALTIME_PROVIDER": "socketio",
        "CROSSFADE_BRIDGE_PORT": str(free_port()),
        "CROSSFADE_SECRETS_KEY": key,
        "CROSSFADE_WEBHOOK_PLAIN_HTTP": "yes",
        "CROSSFADE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "CROSSFADE_LOG_LEVEL": "WARNING",
        "CROSSFADE_CANARY": "off",  # every event of the log is one of ours
    }
    started = time.monotonic()
    bridge = Bridge(environment, directory / "bridge.log")
    written, killed = threading.Event(), threading.Event()
    writer = threading.Thread(target=_write, args=(server.url(), conversations, events, written, killed))
    writer.start()
    restarts = 0
    try:
        next_kill: float | None = None
        next_look = 0.0
        while True:
            if written.is_set() and time.monotonic() >= next_look:
                if _all_settled(server.url()):
                    break
                next_look = time.monotonic() + LOOK_EVERY_S
            assert time.monotonic() - started < timeout_s, (directory / "bridge.log").read_text()[-3_000:]
            time.sleep(0.1)
            if next_kill is None:
                if bridge.kills < most_kills and bridge.answers():
                    next_kill = time.monotonic() + (chance.uniform(*KILL_EVERY_S) if bridge.kills else FIRST_KILL_S)
            elif time.monotonic() >= next_kill:
                bridge.kill()
                killed.set()
                next_kill = None
                if say:
                    say(f"{time.monotonic() - started:6.0f} s  {bridge.kills} kills, {_progress(server.url())}")
            if restarts == 0 and bridge.kills == 1:
                server.stop()
                server.start()
                restarts += 1
    finally:
        writer.join()
        bridge.stop()
    time.sleep(1.0)  # the receiver writes its lines at least every 0.2 s
    return read_ledger(server.url(), directory, events, endpoints, bridge.kills, restarts, time.monotonic() - started)


def _write(url: str, conversations: list[int], events: int, written: threading.Event, killed: threading.Event) -> None:
    """Phase one: commit all events, in batches, through the restart; the last ones only after the first kill."""
    done = 0
    try:
        while done < events:
            size = min(BATCH, max(events // 4, 1), events - done)
            if done + size == events:
                killed.wait(KILL_TIMEOUT_S)
            try:
                with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection, connection.transaction():
                    _append(connection, conversations, done, size)
            except psycopg.OperationalError:
                time.sleep(0.3)
                with contextlib.suppress(psycopg.Error), psycopg.connect(url, connect_timeout=5) as connection:
                    row = connection.execute("select count(*) from chat_events").fetchone()
                    done = row[0] if row else done
                continue
            done += size
    finally:
        written.set()


def _append(connection: psycopg.Connection[Any], conversations: list[int], done: int, size: int) -> None:
    connection.execute(
        """
        insert into chat_events (event_id, account_id, conversation_id, seq, type, payload)
        select gen_random_uuid(), c.user_id, c.id, n / %(width)s + 1, (%(types)s::text[])[1 + n / %(width)s %% 2],
            jsonb_build_object('content', 'message ' || n)
        from generate_series(%(first)s::int, %(last)s::int) n
        join conversations c on c.id = (%(conversations)s::bigint[])[1 + n %% %(width)s]
        order by n
        """,
        {
            "conversations": conversations,
            "width": len(conversations),
            "types": list(TYPES),
            "first": done,
            "last": done + size - 1,
        },
    )


def _all_settled(url: str) -> bool:
    """Whether the log is fanned out and nothing is open."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            row = connection.execute(
                """
                select not exists (
                    select from chat_events e join relay_cursors c on c.sink = 'webhooks' and e.id > c.high_water
                ) and not exists (select from webhook_deliveries where state in ('open', 'sending'))
                """
            ).fetchone()
            return bool(row and row[0])
    except psycopg.OperationalError:
        return False


def _progress(url: str) -> str:
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            found = connection.execute(
                "select state, count(*) from webhook_deliveries group by 1 order by 1"
            ).fetchall()
            return ", ".join(f"{count:,} {state}" for state, count in found)
    except psycopg.OperationalError:
        return "the database is away"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--endpoints", type=int, default=20)
    options = parser.parse_args()
    say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731, T201
    print(json.dumps(asdict(run(options.events, options.endpoints, say=say)), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
