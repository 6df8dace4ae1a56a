"""An event becomes one signed request at every endpoint that wants it."""

import asyncio
from collections.abc import Sequence

import psycopg
import pytest
from aiohttp import web
from psycopg.rows import DictRow

from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.webhooks.contract import signing
from realtime_bridge.webhooks.receiver import verify
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user, make_webhook
from tests.integration.webhooks.conftest import another_sender, make_due, webhooks
from tests.relays import run
from tests.servers.receivers import receiver, status

Conn = psycopg.Connection[DictRow]


def test_an_event_is_signed_and_delivered_once(database_url: str, conn: Conn, box: SecretBox) -> None:
    """The request carries the event as documented, and our own verifier accepts it."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)
    secret = signing.new_secret()

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            make_webhook(conn, account, f"{told.url}/hook", box, secrets=[secret])
            append_message(conn, conversation, "hello ✓")
            assert await hooks.deliver() == 1
            assert await hooks.send_all() == 0
            (request,) = told.received
        event = verify(request.body, request.headers, secret)
        row = one(conn, "select * from chat_events")
        assert event["type"] == "message.new"
        assert event["data"] == row["payload"]
        assert (event["eventId"], event["seq"], event["conversationSeq"]) == (str(row["event_id"]), row["id"], 1)
        assert list(event) == ["type", "timestamp", "data", "eventId", "seq", "conversationSeq"]
        assert request.headers["webhook-id"] == event["eventId"]
        assert request.headers["content-type"] == "application/json"

    run(scenario)
    delivery = one(conn, "select state, attempts from webhook_deliveries")
    assert delivery == {"state": "delivered", "attempts": 1}
    attempt = one(conn, "select outcome, status, number, cardinality(secret_ids) as signed from webhook_attempts")
    assert attempt == {"outcome": "delivered", "status": 204, "number": 1, "signed": 1}


@pytest.mark.parametrize(
    ("patterns", "wanted"), [(["*"], 1), (["message.*"], 1), (["message.new"], 1), (["conversation.*"], 0)]
)
def test_filters_select_by_type_and_family(
    database_url: str, conn: Conn, box: SecretBox, patterns: Sequence[str], wanted: int
) -> None:
    """`*`, `family.*` and exact types select; anything else is not even queued."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            make_webhook(conn, account, told.url, box, event_types=patterns)
            append_message(conn, conversation)
            assert await hooks.deliver() == wanted

    run(scenario)
    assert one(conn, "select count(*) as n from webhook_deliveries")["n"] == wanted


def test_an_endpoint_never_sees_another_accounts_events(database_url: str, conn: Conn, box: SecretBox) -> None:
    """Each of two accounts is sent its own events only."""
    accounts = [make_user(conn), make_user(conn)]

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            for number, account in enumerate(accounts):
                make_webhook(conn, account, f"{told.url}/{number}", box)
                append_message(conn, make_conversation(conn, account), f"of {number}")
            assert await hooks.deliver() == 2
            for number in range(2):
                assert [r.event["data"]["content"] for r in told.at(f"/{number}")] == [f"of {number}"]

    run(scenario)


def test_every_live_secret_signs_and_own_headers_go_along(database_url: str, conn: Conn, box: SecretBox) -> None:
    """During a rotation both secrets verify; custom headers are sent and cannot replace ours."""
    account = make_user(conn)
    old, new = signing.new_secret(), signing.new_secret()

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            make_webhook(
                conn,
                account,
                told.url,
                box,
                secrets=[old, new],
                headers={"X-Tenant": "7"},
                compatibility_signature=True,
            )
            append_message(conn, make_conversation(conn, account))
            await hooks.deliver()
            (request,) = told.received
        for secret in (old, new):
            verify(request.body, request.headers, secret)
        assert request.headers["x-tenant"] == "7"
        assert request.headers["x-signature"] == signing.sign_body(signing.key_of(new), request.body)

    run(scenario)


def test_a_failed_delivery_is_tried_again_with_the_same_id(database_url: str, conn: Conn, box: SecretBox) -> None:
    """Each attempt has the same id and body and a new signature; the tenth failure is the last."""
    account = make_user(conn)

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            told.answers["/hook"] = status(500)
            make_webhook(conn, account, f"{told.url}/hook", box)
            append_message(conn, make_conversation(conn, account))
            await hooks.fan_out()
            for _ in range(12):
                make_due(conn)
                await hooks.send_all()
            assert len(told.received) == 10
            assert len({(r.headers["webhook-id"], r.body) for r in told.received}) == 1

    run(scenario)
    assert one(conn, "select state, attempts from webhook_deliveries") == {"state": "failed", "attempts": 10}
    numbers = conn.execute("select number from webhook_attempts order by id").fetchall()
    assert [row["number"] for row in numbers] == list(range(1, 11))


def test_gone_disables_the_endpoint_and_tells_the_others(database_url: str, conn: Conn, box: SecretBox) -> None:
    """410 ends it at once: no retry, no new deliveries, a notice, and an event for the account's other endpoint."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            told.answers["/gone"] = status(410)
            make_webhook(conn, account, f"{told.url}/gone", box)
            make_webhook(conn, account, f"{told.url}/notices", box, event_types=["endpoint.*"])
            append_message(conn, conversation)
            assert await hooks.deliver() == 2
            append_message(conn, conversation)
            await hooks.deliver()
            assert len(told.at("/gone")) == 1
            (notice,) = told.at("/notices")
        assert notice.event["type"] == "endpoint.disabled"
        assert "410" in notice.event["data"]["reason"]

    run(scenario)
    assert one(conn, "select health from webhook_queues order by webhook_id limit 1")["health"] == "disabled"
    assert one(conn, "select type from webhook_notices")["type"] == "endpoint.disabled"


def test_a_deliverys_claim_comes_back_when_its_sender_dies(database_url: str, conn: Conn, box: SecretBox) -> None:
    """What a dead sender had claimed is sent by another one; the dead one's late result changes nothing."""
    account = make_user(conn)

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url, lease_s=0.2) as hooks:
            make_webhook(conn, account, told.url, box)
            append_message(conn, make_conversation(conn, account))
            await hooks.fan_out()
            (claimed,) = await hooks.sender.claim()
            await asyncio.sleep(0.3)
            conn.execute("update webhook_queues set due_at = now()")
            async with another_sender(database_url) as other:
                assert len(await other.claim()) == 1
                await hooks.sender.results.settle()
                assert one(conn, "select state, attempts from webhook_deliveries") == {
                    "state": "sending",
                    "attempts": 0,
                }
                await other.run_once()
            assert {r.headers["webhook-id"] for r in told.received} == {str(claimed.event_id)}

    run(scenario)
    assert one(conn, "select state, attempts from webhook_deliveries") == {"state": "delivered", "attempts": 1}
    assert one(conn, "select count(*) as n from webhook_attempts")["n"] == 1


def test_fifo_keeps_a_conversations_order_and_blocks_only_it(database_url: str, conn: Conn, box: SecretBox) -> None:
    """A failing head holds back its own conversation, and nothing else."""
    account = make_user(conn)
    blocked, free = make_conversation(conn, account), make_conversation(conn, account)

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            make_webhook(conn, account, told.url, box, fifo=True)
            fails = {"first"}

            async def picky(request: web.Request) -> web.StreamResponse:
                failing = told.received[-1].event["data"]["content"] in fails
                return web.Response(status=500 if failing else 204)

            told.answers["/"] = picky
            for text in ("first", "second"):
                append_message(conn, blocked, text)
            for text in ("alpha", "beta"):
                append_message(conn, free, text)
            await hooks.deliver()
            contents = [r.event["data"]["content"] for r in told.received]
            assert sorted(contents) == ["alpha", "beta", "first"]
            fails.clear()
            make_due(conn)
            await hooks.send_all()
            contents = [r.event["data"]["content"] for r in told.received]
            assert contents[3:] == ["first", "second"]
            assert contents.index("alpha") < contents.index("beta")

    run(scenario)


def test_an_event_that_left_the_log_is_not_sent(database_url: str, conn: Conn, box: SecretBox) -> None:
    """Nothing is sent in its place; the attempt log says why, and the endpoint is not blamed."""
    account = make_user(conn)

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            make_webhook(conn, account, told.url, box)
            append_message(conn, make_conversation(conn, account))
            await hooks.fan_out()
            conn.execute("delete from chat_events")
            await hooks.send_all()
            assert told.received == []

    run(scenario)
    assert one(conn, "select outcome from webhook_attempts")["outcome"] == "expired"
    assert one(conn, "select consecutive_failures as n from webhook_queues")["n"] == 0
