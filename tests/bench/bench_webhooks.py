"""How far the sender is from the limit: a bare aiohttp loop that signs and posts the same bodies.

Run by hand: `.venv/bin/python -m tests.bench.bench_webhooks`, with `--rounds 5`, `--events 400`, `--waiting 1000000`,
`--bridges 2`, `--json`.

Fifty receivers answer at once in a process of their own. Each round runs the bare loop, the sender, and the bare loop
again, for a machine's speed wanders by the minute: compare the ratios, not the rates. `--waiting` first puts that many
deliveries that are due tomorrow into the queue, and shows what they cost. `--bridges` shares the queue among that many
senders in processes of their own; the bare loop stays one.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any, LiteralString

import aiohttp
import psycopg
from psycopg import AsyncConnection

from migrations.upgrade import upgrade
from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from realtime_bridge.relay.loop import Relay
from realtime_bridge.shared import database, memory
from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.webhooks.call.attempt import Caller
from realtime_bridge.webhooks.contract import signing
from realtime_bridge.webhooks.contract.addresses import AddressGuard
from realtime_bridge.webhooks.contract.urls import UrlPolicy
from realtime_bridge.webhooks.places import REQUESTS
from realtime_bridge.webhooks.queue.bodies import Bodies
from realtime_bridge.webhooks.queue.endpoints import Endpoints
from realtime_bridge.webhooks.sender import WebhookSender
from realtime_bridge.webhooks.sink import WebhookSink
from tests.factories import append_message, make_conversation, make_user, make_webhook

ENDPOINTS = 50
MAX_IN_FLIGHT = 50
BARE_CONCURRENCY = 100
STOP_S = 15
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    bare_s: float
    fanned_s: float
    sent_s: float


@contextlib.contextmanager
def receivers() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-m", "tests.servers.instant_receiver", "-"], stdout=subprocess.PIPE)
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


@contextlib.contextmanager
def more_senders(database_url: str, key: bytes, count: int) -> Iterator[Callable[[], None]]:
    """Senders in processes of their own; yields what sets them to work."""
    environment = os.environ | {"DATABASE_URL": database_url, "CROSSFADE_SECRETS_KEY": base64.b64encode(key).decode()}
    command = [sys.executable, "-m", "tests.bench.webhook_sender"]
    senders = [
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)
    ]
    try:
        for sender in senders:
            assert sender.stdout is not None
            assert sender.stdout.readline() == b"ready\n"

        def start() -> None:
            for sender in senders:
                assert sender.stdin is not None
                sender.stdin.write(b"\n")
                sender.stdin.flush()

        yield start
    finally:
        for sender in senders:
            sender.communicate(timeout=STOP_S)


@contextlib.asynccontextmanager
async def pool_of(database_url: str) -> AsyncIterator[Pool]:
    pool = database.pool(database_url, name="bench", size=6)
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


async def fan_out(pool: Pool) -> float:
    """Queue a delivery of each event for each endpoint; seconds."""
    relay = Relay(sink=WebhookSink(), pool=pool, owner="bench")
    await relay.acquire()
    started = time.perf_counter()
    while await relay.run_once():
        pass
    return time.perf_counter() - started


async def send(pool: Pool, box: SecretBox, start_others: Callable[[], None]) -> float:
    """Deliver what is queued, until all of it is settled; seconds."""
    caller = Caller(POLICY, connections=REQUESTS)
    sender = WebhookSender(pool=pool, endpoints=Endpoints(box), calls=caller)
    try:
        async with pool.connection() as connection:
            started = time.perf_counter()
            start_others()
            running = asyncio.create_task(sender.run())
            while await _row(connection, OPEN) == (True,):  # noqa: ASYNC110 the truth is in the database
                await asyncio.sleep(0.05)
            elapsed = time.perf_counter() - started
        sender.stop()
        await running
    finally:
        await caller.close()
    return elapsed


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
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--waiting", type=int, default=0)
    parser.add_argument("--bridges", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    memory.collect_less()  # as the bridge does, for both sides
    with tempfile.TemporaryDirectory(prefix="bench-webhooks-") as directory, receivers() as url:
        Path(directory).chmod(0o711)
        server = EmbeddedPostgres(Path(directory) / "data")
        server.start()
        try:
            figures = asyncio.run(measure(server, url, options))
        finally:
            server.stop()
    if options.json:
        print(json.dumps(figures))  # noqa: T201
        return
    for name, value in figures.items():
        print(f"{name:>28}  {value:,.2f}")  # noqa: T201


async def measure(server: EmbeddedPostgres, url: str, options: argparse.Namespace) -> dict[str, float]:
    sealing_key, secret = os.urandom(32), signing.new_secret()
    box = SecretBox([sealing_key])
    apply_shape(server.admin_url())
    upgrade(server.url())
    rounds: list[Round] = []
    with psycopg.connect(server.url(), autocommit=True) as connection:
        account = make_user(connection)
        conversations = [make_conversation(connection, account) for _ in range(20)]
        for number in range(ENDPOINTS):
            make_webhook(connection, account, f"{url}/{number}", box, secrets=[secret], max_in_flight=MAX_IN_FLIGHT)
        if options.waiting:
            wait_for_tomorrow(connection, options.waiting)
        async with pool_of(server.url()) as pool:
            rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for _ in range(options.rounds):
                events = write(connection, conversations, options.events)
                connection.execute("vacuum analyze webhook_deliveries")
                with more_senders(server.url(), sealing_key, options.bridges - 1) as start_others:
                    rounds.append(await one_round(pool, url, box, signing.key_of(secret), events, start_others))
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - rss
        (delivered,) = connection.execute(
            "select count(*) from webhook_attempts where outcome = 'delivered'"
        ).fetchone() or (0,)
    total = options.events * ENDPOINTS
    assert delivered == total * options.rounds, delivered
    ratios = [one.bare_s / one.sent_s for one in rounds]
    return {
        "rounds": options.rounds,
        "deliveries a round": total,
        "waiting": options.waiting,
        "bridges": options.bridges,
        "bare loop, per second": total / statistics.median(one.bare_s for one in rounds),
        "fan-out, per second": total / statistics.median(one.fanned_s for one in rounds),
        "sender, per second": total / statistics.median(one.sent_s for one in rounds),
        "ratio, median": statistics.median(ratios),
        "ratio, lowest": min(ratios),
        "ratio, highest": max(ratios),
        "memory grown, MB": grown / 1024,
    }


def write(connection: psycopg.Connection[Any], conversations: list[int], count: int) -> dict[int, datetime]:
    """Append events to the log; their ids and times."""
    with connection.transaction():
        (newest,) = connection.execute("select coalesce(max(id), 0) from chat_events").fetchone() or (0,)
        for number in range(count):
            append_message(connection, conversations[number % len(conversations)], f"message {number}")
    return dict(connection.execute("select id, created_at from chat_events where id > %s", (newest,)).fetchall())


async def one_round(
    pool: Pool,
    url: str,
    box: SecretBox,
    key: bytes,
    events: dict[int, datetime],
    start_others: Callable[[], None],
) -> Round:
    async with pool.connection() as connection:
        found = await Bodies().load(connection, events.items())
    bodies = [(json.loads(body)["eventId"], body) for body in found.values()]
    fanned_s = await fan_out(pool)
    before_s = await bare(url, bodies, key)
    sent_s = await send(pool, box, start_others)
    after_s = await bare(url, bodies, key)
    return Round(bare_s=(before_s + after_s) / 2, fanned_s=fanned_s, sent_s=sent_s)


if __name__ == "__main__":
    main()
