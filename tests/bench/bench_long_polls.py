"""What consumers that wait cost those who send: POST message beside none and beside 300 long polls, in turns.

Run by hand: `python -m tests.bench.bench_long_polls [--waiters 300] [--accounts 300] [--rounds 3] [--posts 150]`. Then
one message for each waiting account, and how long after the answer to its POST each waiter has the event. Load, waiters
and servers share the machine, so read the figures as ratios and not as capacity.
"""

import argparse
import asyncio
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp
import psycopg
from rich.console import Console

from migrations.upgrade import upgrade
from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from tests.factories import make_conversation, make_key, make_user
from tests.servers.gateway_server import serve
from tests.servers.redis_server import RedisServer

API = "/api/v1/chat"
WAIT_S = 25
SETTLE_S = 2.0  # for the threads of many new waiters to have gone to sleep; not part of what is measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    key: str
    conversation_id: int


@dataclass(slots=True, kw_only=True)
class Figures:
    alone_ms: list[float]
    beside_ms: list[float]
    arrivals_ms: list[float]


async def measure(
    url: str, sender: Consumer, consumers: list[Consumer], waiters: int, rounds: int, posts: int
) -> Figures:
    figures = Figures(alone_ms=[], beside_ms=[], arrivals_ms=[])
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector) as session:
        await _post(session, sender, 50)
        for _ in range(rounds):
            figures.alone_ms += await _post(session, sender, posts)
            waiting = await _wait_all(session, consumers, waiters)
            figures.beside_ms += await _post(session, sender, posts)
            figures.arrivals_ms += await _wake(session, consumers, waiting)
    return figures


async def _post(session: aiohttp.ClientSession, consumer: Consumer, count: int) -> list[float]:
    """Send one after the other, as a client does; return how long each took."""
    path = f"{API}/conversations/{consumer.conversation_id}/messages"
    taken = []
    for index in range(count):
        began = time.perf_counter()
        headers = {"X-API-Key": consumer.key}
        async with session.post(path, json={"content": f"message {index}"}, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            await answer.read()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


async def _wait_all(
    session: aiohttp.ClientSession, consumers: list[Consumer], waiters: int
) -> list[tuple[Consumer, asyncio.Task[float]]]:
    tasks = []
    for index in range(waiters):
        consumer = consumers[index % len(consumers)]
        tasks.append((consumer, asyncio.create_task(_wait(session, consumer))))
    await asyncio.sleep(SETTLE_S)
    assert not [task for _, task in tasks if task.done()]
    return tasks


async def _wait(session: aiohttp.ClientSession, consumer: Consumer) -> float:
    """Take the newest cursor, wait for one event; return when it arrived."""
    headers = {"X-API-Key": consumer.key}
    async with session.get(f"{API}/events?after=latest", headers=headers) as answer:
        cursor = (await answer.json())["pagination"]["nextCursor"]
    async with session.get(f"{API}/events?after={cursor}&wait={WAIT_S}", headers=headers) as answer:
        document: dict[str, Any] = await answer.json()
        assert document["data"], document
    return time.perf_counter()


async def _wake(
    session: aiohttp.ClientSession, consumers: list[Consumer], waiting: list[tuple[Consumer, asyncio.Task[float]]]
) -> list[float]:
    """One message for each account; how long after the answer to its POST its waiters had it."""
    committed = {}
    for consumer in consumers:
        await _post(session, consumer, 1)
        committed[consumer.key] = time.perf_counter()
        await asyncio.sleep(0.01)
    arrived = [(consumer, await task) for consumer, task in waiting]
    return [max(0.0, (moment - committed[consumer.key]) * 1000) for consumer, moment in arrived]


def p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


def run(waiters: int, accounts: int, rounds: int, posts: int) -> Figures:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crossfade-bench-")))
        server = EmbeddedPostgres(directory / "postgres")
        server.start()
        stack.callback(server.stop)
        apply_shape(server.admin_url())
        upgrade(server.url())
        (directory / "redis").mkdir()
        redis = stack.enter_context(RedisServer(directory / "redis"))
        with psycopg.connect(server.url(), autocommit=True) as connection:
            sender, *consumers = (_consumer(connection) for _ in range(accounts + 1))
        gateway = stack.enter_context(serve(directory, server.url(), redis.url, CROSSFADE_LOG_LEVEL="WARNING"))
        return asyncio.run(measure(f"http://127.0.0.1:{gateway.port}", sender, consumers, waiters, rounds, posts))


def _consumer(connection: psycopg.Connection[Any]) -> Consumer:
    account = make_user(connection)
    return Consumer(key=make_key(connection, account), conversation_id=make_conversation(connection, account))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiters", type=int, default=300)
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--posts", type=int, default=150)
    chosen = parser.parse_args()
    figures = run(chosen.waiters, chosen.accounts, chosen.rounds, chosen.posts)
    console = Console()
    for name, values in (
        ("POST, none waiting", figures.alone_ms),
        (f"POST, {chosen.waiters} waiting", figures.beside_ms),
        ("event after its POST's answer", figures.arrivals_ms),
    ):
        console.print(f"{name:32} p50 {median(values):7.1f} ms  p95 {p95(values):7.1f} ms  max {max(values):7.1f} ms")
    console.print(f"ratio of p95: {p95(figures.beside_ms) / p95(figures.alone_ms):.2f}")


if __name__ == "__main__":
    main()
