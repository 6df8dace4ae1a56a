"""One account's webhooks, fifty endpoints of a hundred slots each, do not hold up a neighbour's."""

import asyncio
import statistics
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge import shares
from realtime_bridge.webhooks.places import IN_HAND
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user, make_webhook
from tests.integration.bridge.conftest import run
from tests.integration.webhooks.conftest import BOX, Webhooks, webhooks
from tests.waiting import eventually

Conn = psycopg.Connection[DictRow]
EVENTS = 25
ALONE = shares.more(IN_HAND, 0, 0)
NOISE_S = 0.5  # delays below are the machine's, not the queue's
DELAYS = """
    select extract(epoch from a.started_at - d.logged_at)::float8 as delay from webhook_attempts a
    join webhook_deliveries d on d.id = a.delivery_id
    where a.outcome = 'delivered' and d.conversation_id = %s
"""


@pytest.fixture
def receivers() -> Iterator[str]:
    """A process that answers at once, and beneath /hang never."""
    with subprocess.Popen([sys.executable, "-m", "tests.instant_receiver", "-"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


def test_a_neighbour_of_fifty_hanging_endpoints_is_served(database_url: str, conn: Conn, receivers: str) -> None:
    """They hold all that one account may hold; first attempts next door start as before (p99 within 3x)."""
    hog, neighbour = make_user(conn), make_user(conn)
    flooded = make_conversation(conn, hog)
    make_webhook(conn, neighbour, f"{receivers}/neighbour", BOX)
    for number in range(50):
        make_webhook(conn, hog, f"{receivers}/hang/{number}", BOX, max_in_flight=100)

    async def scenario() -> None:
        async with webhooks(database_url, timeout_s=60.0) as hooks:
            sending = asyncio.create_task(hooks.sender.run())
            try:
                calm = await _delays(hooks, conn, make_conversation(conn, neighbour))
                for _ in range(IN_HAND // 50 + 1):
                    append_message(conn, flooded)
                await hooks.fan_out()
                await eventually(lambda: _held(conn, hog) >= ALONE, "all that the hog may hold")
                disturbed = await _delays(hooks, conn, make_conversation(conn, neighbour))
                assert _held(conn, hog) >= ALONE
            finally:
                hooks.sender.stop()
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        print(f"p99 {_p99(calm) * 1_000:.0f} ms calm, {_p99(disturbed) * 1_000:.0f} ms beside the hog")  # noqa: T201
        assert _p99(disturbed) <= 3 * max(_p99(calm), NOISE_S)

    run(scenario)


def test_a_neighbour_is_in_the_next_claim(database_url: str, conn: Conn, receivers: str) -> None:
    """Whatever a hog has waiting, due for longer, in either lane: a newcomer's deliveries are all claimed at once."""
    hog, neighbour = make_user(conn), make_user(conn)
    flooded, quiet = make_conversation(conn, hog), make_conversation(conn, neighbour)
    for number in range(50):
        make_webhook(conn, hog, f"{receivers}/{number}", BOX, max_in_flight=100)
    make_webhook(conn, neighbour, f"{receivers}/neighbour", BOX)

    async def scenario() -> None:
        async with webhooks(database_url) as hooks:
            for _ in range(20):
                append_message(conn, flooded)
            await hooks.fan_out()
            conn.execute("update webhook_deliveries set lane = mod(id, 2), next_at = now() - interval '10 seconds'")
            conn.execute("update webhook_queues set due_at = now() - interval '10 seconds' where due_at <= now()")
            for _ in range(4):
                append_message(conn, quiet)
            await hooks.fan_out()
            conn.execute("update webhook_deliveries set lane = mod(id, 2) where account_id = %s", (neighbour,))
            await hooks.sender.claim()
            assert _held(conn, neighbour) == 4
            await hooks.sender.run_once()

    run(scenario)


async def _delays(hooks: Webhooks, conn: Conn, conversation: int) -> list[float]:
    """Write events one by one; return how long each waited for its first attempt."""
    for number in range(EVENTS):
        append_message(conn, conversation, f"message {number}")
        await hooks.fan_out()
        hooks.sender.wake()
        await asyncio.sleep(0.01)
    await eventually(lambda: len(_rows(conn, conversation)) == EVENTS, "the neighbour's deliveries", 10.0)
    return _rows(conn, conversation)


def _rows(conn: Conn, conversation: int) -> list[float]:
    return [row["delay"] for row in conn.execute(DELAYS, (conversation,)).fetchall()]


def _held(conn: Conn, account: object) -> int:
    query = "select count(*) as n from webhook_deliveries where account_id = %(account)s and state = 'sending'"
    return int(one(conn, query, account=account)["n"])


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]
