"""What a flood leaves in a bridge: its memory before, at the peak, when all is delivered, and after some calm seconds.

Run by hand: `.venv/bin/python -m tests.bench.bench_memory [--events 1000] [--bytes 150000] [--calm 30] [--code DIR]`.
One account has announced messages, with payloads of that size, while no bridge ran; then one starts, which feeds both
sides and twenty webhooks. `--code` runs the bridge of another checkout, to compare.
"""

import argparse
import base64
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import psycopg

from gateway.database import Database
from gateway.domain.messages import Direction, ImportedMessage, MessageStatus, MessageType
from gateway.services.imports import import_messages
from migrations.upgrade import upgrade
from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from realtime_bridge.shared.secrets import SecretBox
from tests.bench.bench_webhooks import receivers
from tests.factories import make_conversation, make_user, make_webhook
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
ENDPOINTS = 20
BATCH = 500
MB = 1_000_000
LEASED = "select count(*) from relay_cursors where lease_until > now()"
SETTLED = """
    select min(high_water) >= (select max(id) from chat_events) and bool_and(holes = '[]')
        and not exists (select from webhook_deliveries where state in ('open', 'sending'))
    from relay_cursors
"""


@contextlib.contextmanager
def bridge(database_url: str, key: bytes, code: Path) -> Iterator[psutil.Process]:
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "SUPABASE_JWT_SECRET": "a-secret-of-a-bench-of-memory-only-1234",
        "CROSSFADE_SECRETS_KEY": base64.b64encode(key).decode(),
        "CROSSFADE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "CROSSFADE_WEBHOOK_PLAIN_HTTP": "yes",
        "CROSSFADE_BRIDGE_PORT": "8991",
        "CROSSFADE_CANARY": "off",
        "CROSSFADE_LOG_LEVEL": "error",
        "PYTHONPATH": str(code),
    }
    with subprocess.Popen([sys.executable, "-m", "realtime_bridge"], env=environment, cwd=code) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


def flood(connection: psycopg.Connection[Any], database_url: str, account: UUID, count: int, size: int) -> None:
    """Write `count` events of `size` bytes: what a limit lets through grows on its way into jsonb."""
    conversation = make_conversation(connection, account, *(make_user(connection) for _ in range(3)))
    database = Database(database_url, pool_size=1)
    try:
        for _ in range(count // BATCH):
            items = [_message(index) for index in range(BATCH)]
            import_messages(database, account, conversation, items, announce=True)
    finally:
        database.close()
    grow = "update chat_events set payload = jsonb_set(payload, '{metadata}', jsonb_build_object('n', repeat('n', %s)))"
    connection.execute(grow, (size,))


def _message(index: int) -> ImportedMessage:
    return ImportedMessage(
        index=index,
        direction=Direction.INCOMING,
        message_type=MessageType.TEXT,
        content="hello",
        status=MessageStatus.DELIVERED,
        client_message_id=None,
        provider_message_id=None,
        sender_id=None,
        reply_to_id=None,
        metadata="{}",
        created_at=datetime.now(UTC),
    )


def measure(database_url: str, options: argparse.Namespace) -> dict[str, float]:
    """Return megabytes."""
    key = os.urandom(32)
    with psycopg.connect(database_url, autocommit=True) as connection, receivers() as url:
        account = make_user(connection)
        for number in range(ENDPOINTS):
            make_webhook(connection, account, f"{url}/{number}", SecretBox([key]), max_in_flight=50)
        with bridge(database_url, key, options.code) as process:
            wait_for(lambda: _row(connection, LEASED)[0] >= 4, "leases", 60.0)
            before = process.memory_info().rss
        flood(connection, database_url, account, options.events, options.bytes)
        with bridge(database_url, key, options.code) as process:
            peak, done = 0, False
            while not done:
                done = bool(_row(connection, SETTLED)[0])
                peak = max(peak, process.memory_info().rss)
                time.sleep(0.05)
            delivered = process.memory_info().rss
            time.sleep(options.calm)
            after = process.memory_info().rss
    return {"before": before / MB, "peak": peak / MB, "delivered": delivered / MB, "calm": after / MB}


def _row(connection: psycopg.Connection[Any], query: str) -> Any:
    return connection.execute(query.encode()).fetchone()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000)
    parser.add_argument("--bytes", type=int, default=150_000)
    parser.add_argument("--calm", type=float, default=30.0)
    parser.add_argument("--code", type=Path, default=ROOT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as directory:
        Path(directory).chmod(0o711)
        server = EmbeddedPostgres(Path(directory) / "data", durable=False, dies_with_us=True)
        server.start()
        try:
            apply_shape(server.admin_url())
            upgrade(server.url())
            figures = measure(server.url(), options)
        finally:
            server.stop()
    print("  ".join(f"{name} {value:,.0f} MB" for name, value in figures.items()))  # noqa: T201


if __name__ == "__main__":
    main()
