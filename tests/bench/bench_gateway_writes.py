"""What the HTTP API costs on top of its SQL: the same statement by psycopg and by POST, in turns, in one run.

Run by hand: `python -m tests.bench.bench_gateway_writes [--seconds 5] [--rounds 3]`. Prints a table and the ratio.
Load and servers share the machine, so read the figures as ratios and not as capacity.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http.client import HTTPConnection
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from uuid import UUID, uuid4

import psycopg
from rich.console import Console

from gateway.database import connect
from gateway.domain.messages import Direction, MessageType
from gateway.store import messages as store
from migrations.upgrade import upgrade
from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from realtime_bridge.event_log.append import NewMessage
from tests.factories import make_conversation, make_key, make_user
from tests.servers.gateway_server import serve
from tests.servers.redis_server import RedisServer

PROCESSES = 2  # one Python process cannot load two workers
CONVERSATIONS = 64
WORDS = "A message of the length that people write to each other."


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Everything a load process needs; it is sent to a fresh interpreter."""

    kind: str
    database_url: str
    port: int
    key: str
    account_id: UUID
    conversation_ids: tuple[int, ...]
    threads: int
    seconds: float


def by_sql(target: Target) -> Callable[[int], None]:
    connection = connect(target.database_url, "bench")

    def send(conversation_id: int) -> None:
        new = NewMessage(
            content=WORDS,
            message_type=MessageType.TEXT,
            direction=Direction.OUTGOING,
            client_message_id=str(uuid4()),
            sender_id=None,
            reply_to_id=None,
            metadata="{}",
        )
        assert store.append_message(connection, target.account_id, conversation_id, uuid4(), new) is not None

    return send


def by_http(target: Target) -> Callable[[int], None]:
    connection = HTTPConnection("127.0.0.1", target.port, timeout=10)
    headers = {"X-API-Key": target.key, "Content-Type": "application/json"}

    def send(conversation_id: int) -> None:
        body = json.dumps({"content": WORDS, "clientMessageId": str(uuid4())})
        connection.request("POST", f"/api/v1/chat/conversations/{conversation_id}/messages", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 201, text

    return send


def load(target: Target) -> list[float]:
    """Send for a while from several threads; return how long each message took."""
    make = by_http if target.kind == "POST" else by_sql

    def run(index: int) -> list[float]:
        send = make(target)
        times: list[float] = []
        ends = time.perf_counter() + target.seconds
        while (began := time.perf_counter()) < ends:
            send(target.conversation_ids[(index + len(times)) % len(target.conversation_ids)])
            times.append(time.perf_counter() - began)
        return times

    with ThreadPoolExecutor(target.threads) as pool:
        return [took for times in pool.map(run, range(target.threads)) for took in times]


def measure(target: Target) -> list[float]:
    with get_context("spawn").Pool(PROCESSES) as pool:
        return [took for times in pool.map(load, [target] * PROCESSES) for took in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=8, help="per load process")
    arguments = parser.parse_args()
    show = Console(highlight=False).print
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crossfade-bench-")))
        postgres = EmbeddedPostgres(directory / "data")
        stack.callback(postgres.stop)
        postgres.start()
        apply_shape(postgres.admin_url())
        upgrade(postgres.url())
        with closing(psycopg.connect(postgres.url(), autocommit=True)) as connection:
            account_id = make_user(connection)
            # The widest limit there is: past it a request would be refused, and refusals are cheap.
            key = make_key(connection, account_id)
            conversation_ids = tuple(make_conversation(connection, account_id) for _ in range(CONVERSATIONS))
        redis = stack.enter_context(RedisServer(directory))
        server = stack.enter_context(serve(directory, postgres.url(), redis.url, CROSSFADE_LOG_LEVEL="WARNING"))
        server.wait_for("/readyz", 200)
        rates: dict[str, list[float]] = {"SQL": [], "POST": []}
        show(f"{'':6}{'per second':>12}{'p50 ms':>10}{'p99 ms':>10}")
        for _ in range(arguments.rounds):
            for kind, known in rates.items():
                target = Target(
                    kind=kind,
                    database_url=postgres.url(),
                    port=server.port,
                    key=key,
                    account_id=account_id,
                    conversation_ids=conversation_ids,
                    threads=arguments.threads,
                    seconds=arguments.seconds,
                )
                times = measure(target)
                known.append(len(times) / arguments.seconds)
                percentiles = quantiles(times, n=100)
                show(f"{kind:6}{known[-1]:12.0f}{percentiles[49] * 1000:10.1f}{percentiles[98] * 1000:10.1f}")
        show(f"ratio POST / SQL: {median(rates['POST']) / median(rates['SQL']):.2f}")


if __name__ == "__main__":
    main()
