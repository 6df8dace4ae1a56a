"""How far the sender is from the limit: a bare aiohttp loop that signs and posts the same bodies.

Run by hand: `.venv/bin/python -m tests.bench.bench_webhooks [--events 400] [--waiting 1000000] [--json]`. Fifty
receivers answer at once in a process of their own; both sides run in turn on one machine, so compare the ratio, not the
rates. `--waiting` first puts that many deliveries that are due tomorrow into the queue, and shows what it costs.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any, LiteralString

import aiohttp
import psycopg
from psycopg import AsyncConnection

from migrations.upgrade import upgrade
from ops.embedded.postgres import EmbeddedPostgres
from ops.local_supabase.database import apply_shape
from realtime_bridge import db
from realtime_bridge.relay import Relay
from realtime_bridge.secrets import SecretBox
from realtime_bridge.sinks.webhooks import WebhookSink
from realtime_bridge.webhooks import signing
from realtime_bridge.webhooks.addresses import AddressGuard
from realtime_bridge.webhooks.attempts import Caller
from realtime_bridge.webhooks.endpoints import Endpoints
from realtime_bridge.webhooks.places import REQUESTS
from realtime_bridge.webhooks.sender import WebhookSender
from realtime_bridge.webhooks.urls import UrlPolicy
from tests.factories import append_message, make_conversation, make_user, make_webhook

ENDPOINTS = 50
MAX_IN_FLIGHT = 50
BARE_CONCURRENCY = 100
# By index, once for each endpoint: counting would cost more than what is measured while a million wait.
OPEN = """
    select exists (
        select from chat_external_webhooks w cross join lateral (
            (select from webhook_deliveries d where d.webhook_id = w.id and d.state = 'open' and d.lane = 0 limit 1)
            union all
            (select from webhook_deliveries d where d.webhook_id = w.id and d.state = 'sending' limit 1)
        ) d
    )
"""
POLICY = UrlPolicy(plain_http=True, guard=AddressGuard((ip_network("127.0.0.0/8"),)))


@contextlib.contextmanager
def receivers() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-m", "tests.instant_receiver", "-"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


async def bare(url: str, bodies: list[tuple[str, bytes]], key: bytes) -> float:
    """The limit: sign and post, nothing written down; seconds."""
    waiting = iter(bodies * ENDPOINTS)

    async def work(session: aiohttp.ClientSession) -> None:
        for number, (message_id, body) in enumerate(waiting):
            now = int(time.time())
            headers = {
                "Content-Type": "application/json",
                "webhook-id": message_id,
                "webhook-timestamp": str(now),
                "webhook-signature": signing.sign([key], message_id, now, body),
            }
            async with session.post(f"{url}/{number % ENDPOINTS}", data=body, headers=headers) as answer:
                await answer.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=BARE_CONCURRENCY)) as session:
        started = time.perf_counter()
        await asyncio.gather(*(work(session) for _ in range(BARE_CONCURRENCY)))
        return time.perf_counter() - started


async def _row(connection: AsyncConnection[Any], query: LiteralString) -> Any:
    return await (await connection.execute(query)).fetchone()


async def sent(database_url: str, box: SecretBox, total: int) -> tuple[float, float]:
    """Fan out the log, then deliver it all; seconds of both."""
    pool = db.pool(database_url, name="bench", size=6)
    await pool.open()
    caller = Caller(POLICY, connections=REQUESTS)
    sender = WebhookSender(pool=pool, endpoints=Endpoints(box), calls=caller)
    try:
        relay = Relay(sink=WebhookSink(), pool=pool, owner="bench")
        await relay.acquire()
        started = time.perf_counter()
        while await relay.run_once():
            pass
        fanned = time.perf_counter() - started
        started = time.perf_counter()
        running = asyncio.create_task(sender.run())
        async with pool.connection() as connection:
            while True:
                await asyncio.sleep(0.1)
                if await _row(connection, OPEN) == (False,):
                    break
        elapsed = time.perf_counter() - started
        sender.stop()
        await running
        async with pool.connection() as connection:
            row = await _row(connection, "select count(*) from webhook_attempts where outcome = 'delivered'")
        assert row == (total,), row
        return fanned, elapsed
    finally:
        await caller.close()
        await pool.close()


def wait_for_tomorrow(connection: psycopg.Connection[Any], count: int) -> None:
    connection.execute(
        """
        insert into webhook_deliveries
            (webhook_id, account_id, event_id, logged_at, type, payload, lane, attempts, next_at)
        select w.id, w.account_id, gen_random_uuid(), now(), 'message.new', '{}', 1, 3, now() + interval '1 day'
        from generate_series(1, %s) n join chat_external_webhooks w on w.id = 1 + n %% %s
        """,
        (count, ENDPOINTS),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--waiting", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-webhooks-") as directory, receivers() as url:
        Path(directory).chmod(0o711)
        server = EmbeddedPostgres(Path(directory) / "data")
        server.start()
        try:
            figures = measure(server, url, options)
        finally:
            server.stop()
    if options.json:
        print(json.dumps(figures))  # noqa: T201
        return
    for name, value in figures.items():
        print(f"{name:>28}  {value:,.2f}")  # noqa: T201


def measure(server: EmbeddedPostgres, url: str, options: argparse.Namespace) -> dict[str, float]:
    box, secret = SecretBox([os.urandom(32)]), signing.new_secret()
    apply_shape(server.admin_url())
    upgrade(server.url())
    with psycopg.connect(server.url(), autocommit=True) as connection:
        account = make_user(connection)
        conversations = [make_conversation(connection, account) for _ in range(20)]
        for number in range(ENDPOINTS):
            make_webhook(connection, account, f"{url}/{number}", box, secrets=[secret], max_in_flight=MAX_IN_FLIGHT)
        with connection.transaction():
            for number in range(options.events):
                append_message(connection, conversations[number % 20], f"message {number}")
        if options.waiting:
            wait_for_tomorrow(connection, options.waiting)
            connection.execute("vacuum analyze webhook_deliveries")
        found = connection.execute("select event_id::text, payload::text from chat_events order by id").fetchall()
    bodies = [(name, f'{{"type":"message.new","data":{payload}}}'.encode()) for name, payload in found]
    total = options.events * ENDPOINTS
    before_s = asyncio.run(bare(url, bodies, signing.key_of(secret)))
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fanned_s, elapsed_s = asyncio.run(sent(server.url(), box, total))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - rss
    after_s = asyncio.run(bare(url, bodies, signing.key_of(secret)))
    bare_s = (before_s + after_s) / 2
    return {
        "deliveries": total,
        "waiting": options.waiting,
        "bare loop, per second": total / bare_s,
        "fan-out, per second": total / fanned_s,
        "sender, per second": total / elapsed_s,
        "ratio": bare_s / elapsed_s,
        "memory grown, MB": grown / 1024,
    }


if __name__ == "__main__":
    main()
