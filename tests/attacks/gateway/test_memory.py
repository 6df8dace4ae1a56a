"""Floods that make a worker hold as much as they can: it has a bound, and comes back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from ops.machine.postgres import EmbeddedPostgres
from tests.attacks.gateway.crowded import LIST, Attacked, attacked, head
from tests.factories import append_message, make_conversation, make_key, make_user
from tests.waiting import wait_for

EVENTS = "/api/v1/chat/events"
MIB = 1_048_576
GROWTH = 64 * MIB  # threads, warm caches and what the allocator keeps for the next request
PEAK = 200 * MIB


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: EmbeddedPostgres, template_database: str, redis_url: str
) -> Iterator[Attacked]:
    directory: Path = tmp_path_factory.mktemp("memory")
    variables = {"CROSSFADE_GATEWAY_WORKERS": "1"}
    with attacked(directory, postgres_server, template_database, f"{redis_url}?db=13", **variables) as running:
        running.bystander_is_served()
        yield running


def _worker(gateway: Attacked) -> psutil.Process:
    (worker,) = psutil.Process(gateway.server.process.pid).children()
    return worker


def test_a_flood_of_large_pages_is_given_back(gateway: Attacked) -> None:
    """An account with the largest messages asks for hundreds of the largest pages, each another one."""
    account = make_user(gateway.conn)
    key, conversation = make_key(gateway.conn, account), make_conversation(gateway.conn, account)
    with gateway.conn.transaction():
        for number in range(600):
            append_message(gateway.conn, conversation, f"{number} " + "ö" * 2_040)
    worker = _worker(gateway)
    before, peak = worker.memory_info().rss, 0
    steps = [gateway.server.request("GET", f"{EVENTS}?limit=1", key)[1]["pagination"]["nextCursor"]]
    for _ in range(120):
        page = gateway.server.request("GET", f"{EVENTS}?limit=1&after={steps[-1]}", key)[1]
        steps.append(page["pagination"]["nextCursor"])

    def ask(number: int) -> int:
        path = f"{EVENTS}?limit=500&after={steps[number % len(steps)]}"
        return gateway.server.request("GET", path, key)[0]

    with ThreadPoolExecutor(32) as pool:
        asked = [pool.submit(ask, number) for number in range(240)]
        for one in asked:
            assert one.result(60) == 200
            peak = max(peak, worker.memory_info().rss)
    wait_for(lambda: worker.memory_info().rss < before + GROWTH, "the worker to give it back", 20)
    assert peak < before + PEAK


def test_requests_that_never_end_are_not_collected(gateway: Attacked) -> None:
    """A thousand clients without a key bring most of a small body each: the largest make room for the others."""
    worker = _worker(gateway)
    before = worker.memory_info().rss
    sent = head("POST", LIST, "Content-Type: application/json", "Content-Length: 65000") + b"{" * 64_000
    with gateway.sockets(1_000, sent):
        gateway.bystander_is_served()
        assert worker.memory_info().rss < before + GROWTH
