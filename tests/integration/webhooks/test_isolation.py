"""Who hangs does not hold up who answers: lanes, limits of an endpoint, many waiting deliveries."""

import asyncio
import statistics
import time
from collections.abc import Sequence

import psycopg
from aiohttp import web
from psycopg.rows import DictRow

from realtime_bridge.shared.secrets import SecretBox
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user, make_webhook
from tests.integration.webhooks.conftest import Webhooks, webhooks
from tests.relays import run
from tests.servers.receivers import Receiver, receiver
from tests.waiting import eventually

Conn = psycopg.Connection[DictRow]
ENDPOINTS = 20
HANGING = 4  # a fifth
EVENTS = 60


async def first_attempts(database_url: str, conn: Conn, box: SecretBox, hanging: int) -> Sequence[float]:
    """Send events to endpoints of which some hang; return the delays of first attempts at the healthy ones."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)

    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response(status=204)

    async with receiver() as told, webhooks(database_url, timeout_s=3.0) as hooks:
        for number in range(ENDPOINTS):
            make_webhook(conn, account, f"{told.url}/{number}", box)
            if number < hanging:
                told.answers[f"/{number}"] = hang
        sending = asyncio.create_task(hooks.sender.run())
        try:
            await _write(hooks, conn, conversation)
            wanted = EVENTS * (ENDPOINTS - hanging)
            await eventually(lambda: _healthy(told, hanging) >= wanted, "all healthy deliveries", 60.0)
            await asyncio.sleep(0.2)
        finally:
            hooks.sender.stop()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    rows = conn.execute(
        "select extract(epoch from a.started_at - d.logged_at)::float8 as delay from webhook_attempts a"
        " join webhook_deliveries d on d.id = a.delivery_id"
        " where a.outcome = 'delivered' and d.account_id = %s and a.number = 1",
        (account,),
    ).fetchall()
    return [row["delay"] for row in rows]


async def _write(hooks: Webhooks, conn: Conn, conversation: int) -> None:
    for number in range(EVENTS):
        append_message(conn, conversation, f"message {number}")
        await hooks.fan_out()
        hooks.sender.wake()
        await asyncio.sleep(0.03)


def _healthy(told: Receiver, hanging: int) -> int:
    return sum(int(one.path.removeprefix("/")) >= hanging for one in told.received)


def test_hanging_endpoints_do_not_hold_up_the_others(database_url: str, conn: Conn, box: SecretBox) -> None:
    """With a fifth of the endpoints hanging until the timeout, every first attempt at the others is made at once."""

    async def scenario() -> None:
        calm = await first_attempts(database_url, conn, box, 0)
        disturbed = await first_attempts(database_url, conn, box, HANGING)
        ratio = _p99(disturbed) / _p99(calm)
        print(f"p99 of first attempts: {_p99(calm):.3f} s calm, {_p99(disturbed):.3f} s disturbed, ratio {ratio:.2f}")  # noqa: T201
        assert len(calm) >= EVENTS * ENDPOINTS * 0.99
        assert len(disturbed) >= EVENTS * (ENDPOINTS - HANGING) * 0.99

    run(scenario)


def _p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def test_a_hanging_endpoint_soon_holds_one_slot(database_url: str, conn: Conn, box: SecretBox) -> None:
    """After two failures in a row it is asked one request at a time, and rests between."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)

    async def scenario() -> None:
        async def hang(_: web.Request) -> web.StreamResponse:
            await asyncio.sleep(30)
            return web.Response(status=204)

        async with receiver() as told, webhooks(database_url, timeout_s=0.2) as hooks:
            told.answers["/"] = hang
            make_webhook(conn, account, told.url, box)
            for number in range(40):
                append_message(conn, conversation, f"message {number}")
            await hooks.fan_out()
            for _ in range(2):
                conn.execute("update webhook_queues set due_at = now(), not_before = '-infinity'")
                assert await hooks.sender.run_once() == 10
            assert await hooks.sender.run_once() == 0
            conn.execute("update webhook_queues set due_at = now(), not_before = '-infinity'")
            assert await hooks.sender.run_once() == 1

    run(scenario)
    queue = one(conn, "select consecutive_failures, not_before > now() as rests from webhook_queues")
    assert queue == {"consecutive_failures": 3, "rests": True}


def test_first_attempts_go_before_old_retries(database_url: str, conn: Conn, box: SecretBox) -> None:
    """A thousand late retries are due; the new event is in the next claim."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            make_webhook(conn, account, told.url, box)
            for _ in range(100):
                append_message(conn, conversation, "old")
            await hooks.fan_out()
            conn.execute("update webhook_deliveries set lane = 1, attempts = 3, next_at = now() - interval '1 second'")
            append_message(conn, conversation, "new")
            await hooks.fan_out()
            assert await hooks.sender.run_once() == 10
            assert "new" in [one.event["data"]["content"] for one in told.received]
            assert await hooks.send_all() == 91

    run(scenario)


def test_a_late_retry_is_not_starved_for_ever(database_url: str, conn: Conn, box: SecretBox) -> None:
    """While first attempts fill every claim, a retry that has waited for half a minute gets one place."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            make_webhook(conn, account, told.url, box, max_in_flight=5)
            append_message(conn, conversation, "old")
            await hooks.fan_out()
            conn.execute("update webhook_deliveries set lane = 1, attempts = 3, next_at = now() - interval '1 minute'")
            for _ in range(20):
                append_message(conn, conversation, "new")
            await hooks.fan_out()
            assert await hooks.sender.run_once() == 5
            assert [one.event["data"]["content"] for one in told.received].count("old") == 1

    run(scenario)


def test_a_rate_is_kept(database_url: str, conn: Conn, box: SecretBox) -> None:
    """Five a second: a burst of five, then one each 200 ms."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            make_webhook(conn, account, told.url, box, max_per_second=5)
            for _ in range(20):
                append_message(conn, conversation)
            await hooks.fan_out()
            began = time.monotonic()
            while len(told.received) < 12:
                conn.execute("update webhook_queues set due_at = now()")
                await hooks.sender.run_once()
                assert len(told.received) <= 5 + 5 * (time.monotonic() - began) + 1
                await asyncio.sleep(0.02)

    run(scenario)
