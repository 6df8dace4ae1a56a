"""The queue shared by senders: exact limits, keys that are missing, endpoints that pause, retention."""

import asyncio
import os
from collections import Counter
from dataclasses import replace

import psycopg
from aiohttp import web
from psycopg.rows import DictRow

from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.webhooks.queue.retention import WebhookJanitor
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user, make_webhook
from tests.integration.webhooks.conftest import another_sender, make_due, webhooks
from tests.relays import open_pool, run
from tests.servers.receivers import receiver
from tests.waiting import eventually

Conn = psycopg.Connection[DictRow]


def test_two_senders_share_the_queue_without_meeting(database_url: str, conn: Conn, box: SecretBox) -> None:
    """Every event is delivered once, and together they never have more under way than an endpoint allows."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)
    under_way, most = Counter[str](), Counter[str]()

    async def scenario() -> None:
        async def slow(request: web.Request) -> web.StreamResponse:
            under_way[request.path] += 1
            most[request.path] = max(most[request.path], under_way[request.path])
            await asyncio.sleep(0.01)
            under_way[request.path] -= 1
            return web.Response(status=204)

        async with receiver() as told, webhooks(database_url) as hooks, another_sender(database_url) as other:
            for number in range(4):
                told.answers[f"/{number}"] = slow
                make_webhook(conn, account, f"{told.url}/{number}", box, max_in_flight=3)
            for number in range(50):
                append_message(conn, conversation, f"message {number}")
            await hooks.fan_out()
            running = [asyncio.create_task(sender.run()) for sender in (hooks.sender, other)]
            query = "select not exists (select from webhook_deliveries where state <> 'delivered') as done"
            await eventually(lambda: one(conn, query)["done"], "all deliveries", 60.0)
            for sender in (hooks.sender, other):
                sender.stop()
            await asyncio.gather(*running)
            seen = Counter((request.path, request.headers["webhook-id"]) for request in told.received)
            assert len(seen) == 200
            assert set(seen.values()) == {1}

    run(scenario)
    assert max(most.values()) <= 3
    assert one(conn, "select count(*) as n from webhook_attempts")["n"] == 200


def test_a_secret_under_a_lost_key_waits_for_its_key(database_url: str, conn: Conn, box: SecretBox) -> None:
    """Nothing is sent unsigned, no attempt is counted, and the record says what is missing."""
    account = make_user(conn)

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            make_webhook(conn, account, told.url, SecretBox([os.urandom(32)]))
            append_message(conn, make_conversation(conn, account))
            await hooks.deliver()
            assert told.received == []

    run(scenario)
    assert one(conn, "select state, attempts from webhook_deliveries") == {"state": "open", "attempts": 0}
    attempt = one(conn, "select outcome, error from webhook_attempts")
    assert attempt["outcome"] == "secret_unavailable"
    assert "CROSSFADE_SECRETS_KEY" in attempt["error"]


def test_a_paused_endpoint_keeps_its_deliveries(database_url: str, conn: Conn, box: SecretBox) -> None:
    """They are queued, wait, and go out when it is resumed."""
    account = make_user(conn)

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            make_webhook(conn, account, told.url, box)
            conn.execute("update chat_external_webhooks set paused = true")
            append_message(conn, make_conversation(conn, account))
            assert await hooks.deliver() == 0
            assert one(conn, "select due_at = 'infinity' as rests from webhook_queues")["rests"]
            conn.execute("update chat_external_webhooks set paused = false")
            make_due(conn)
            assert await hooks.send_all() == 1
            assert len(told.received) == 1

    run(scenario)


def test_a_stopped_sender_gives_back_what_it_has_not_sent(database_url: str, conn: Conn, box: SecretBox) -> None:
    """Another one need not wait for the lease to end."""
    account = make_user(conn)

    async def scenario() -> None:
        async def hang(_: web.Request) -> web.StreamResponse:
            await asyncio.sleep(30)
            return web.Response(status=204)

        async with receiver() as told, webhooks(database_url, timeout_s=20.0) as hooks:
            told.answers["/"] = hang
            make_webhook(conn, account, told.url, box)
            append_message(conn, make_conversation(conn, account))
            await hooks.fan_out()
            running = asyncio.create_task(hooks.sender.run())
            await eventually(lambda: told.received, "the request")
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    run(scenario)
    assert one(conn, "select state, attempts from webhook_deliveries") == {"state": "open", "attempts": 0}


def test_a_success_heals_a_degraded_endpoint(database_url: str, conn: Conn, box: SecretBox) -> None:
    """In the transaction that settles it, with a notice; successes of a well endpoint are noted every few seconds."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)
    known = (
        "select health, consecutive_failures as failures, last_success_at > now() - interval '4 seconds' as fresh"
        " from webhook_queues"
    )

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            make_webhook(conn, account, told.url, box)
            conn.execute(
                "update webhook_queues set health = 'degraded', consecutive_failures = 6, failing_since = now()"
            )
            append_message(conn, conversation)
            await hooks.deliver()
            assert one(conn, known) == {"health": "healthy", "failures": 0, "fresh": True}
            conn.execute("update webhook_queues set last_success_at = now() - interval '6 seconds'")
            append_message(conn, conversation)
            await hooks.deliver()
            assert one(conn, known)["fresh"]

    run(scenario)
    assert one(conn, "select type from webhook_notices")["type"] == "endpoint.recovered"


def test_retention_drops_old_partitions_whole(database_url: str, conn: Conn) -> None:
    """Made weeks ahead, once; what is wholly older than the retention goes, and nothing else."""
    for parent in ("webhook_deliveries", "webhook_attempts"):
        conn.execute(
            psycopg.sql.SQL(
                "create table crossfade.{} partition of {} for values from ('2020-01-06') to ('2020-01-13')"
            ).format(psycopg.sql.Identifier(f"{parent}_2020_01_06"), psycopg.sql.Identifier(parent))
        )

    async def scenario() -> None:
        async with open_pool(database_url) as pool:
            janitor = WebhookJanitor(pool, retention_days=30)
            assert await janitor.run_once() == 2
            assert await janitor.run_once() == 0

    run(scenario)


def test_an_answer_that_cannot_be_stored_stops_nobody(database_url: str, conn: Conn, box: SecretBox) -> None:
    """The result is written without it."""
    account = make_user(conn)

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            make_webhook(conn, account, told.url, box)
            append_message(conn, make_conversation(conn, account))
            await hooks.fan_out()
            await hooks.sender.claim()
            results = hooks.sender.results
            await eventually(lambda: len(results), "the answer")
            results._waiting[:] = [
                replace(done, attempt=replace(done.attempt, response_body="\0")) for done in results._waiting
            ]
            await results.settle_all()

    run(scenario)
    assert one(conn, "select state from webhook_deliveries")["state"] == "delivered"
    assert one(conn, "select response_body from webhook_attempts")["response_body"] is None
