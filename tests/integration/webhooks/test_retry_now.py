"""One delivery is tried at once: past its wait, within its conversation's order, once more after the last attempt."""

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from aiohttp import web
from psycopg.rows import DictRow

from gateway.database import Database
from gateway.domain.conflicts import AlreadyDelivered
from gateway.services import webhook_deliveries as service
from realtime_bridge.shared.secrets import SecretBox
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user, make_webhook
from tests.integration.webhooks.conftest import webhooks
from tests.relays import run
from tests.servers.receivers import Receiver, receiver, status

Conn = psycopg.Connection[DictRow]


@pytest.fixture
def account(conn: Conn) -> UUID:
    return make_user(conn)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The gateway's."""
    database = Database(database_url, pool_size=1)
    yield database
    database.close()


def test_only_the_one_that_is_asked_for_is_tried(
    database_url: str, conn: Conn, database: Database, account: UUID, box: SecretBox
) -> None:
    """Its wait and the endpoint's rest are over; what else waits goes on waiting, and asking again changes nothing."""

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            told.answers["/"] = status(503)
            webhook_id = make_webhook(conn, account, told.url, box)
            conversation = make_conversation(conn, account)
            for text in ("wanted", "other"):
                append_message(conn, conversation, text)
            await hooks.deliver()
            _let_wait(conn)
            wanted = _delivery_of(conn, told, "wanted")
            told.answers.clear()
            told.received.clear()
            for _ in range(2):
                service.retry_delivery(database, account, webhook_id, wanted)
            await hooks.send_all()
            assert _contents(told) == ["wanted"]
            with pytest.raises(AlreadyDelivered, match="replay"):
                service.retry_delivery(database, account, webhook_id, wanted)
            assert await hooks.send_all() == 0

    run(scenario)
    assert one(conn, "select attempts, lane, replay from webhook_deliveries where state = 'delivered'") == {
        "attempts": 2,
        "lane": 1,
        "replay": False,
    }


def test_what_stands_before_it_in_its_conversation_goes_first(
    database_url: str, conn: Conn, database: Database, account: UUID, box: SecretBox
) -> None:
    """A FIFO endpoint is sent nothing out of order: the head is tried, then the one that was asked for, and no more."""

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            fails = {"first", "alone"}

            async def picky(_: web.Request) -> web.StreamResponse:
                return web.Response(status=500 if _contents(told)[-1] in fails else 204)

            told.answers["/"] = picky
            webhook_id = make_webhook(conn, account, told.url, box, fifo=True)
            conversation, another = make_conversation(conn, account), make_conversation(conn, account)
            for text in ("first", "second", "third"):
                append_message(conn, conversation, text)
            append_message(conn, another, "alone")
            await hooks.deliver()
            assert sorted(_contents(told)) == ["alone", "first"]
            _let_wait(conn)
            fails.clear()
            told.received.clear()
            second = one(conn, "select id from webhook_deliveries where seq = 2")["id"]
            service.retry_delivery(database, account, webhook_id, second)
            await hooks.send_all()
            assert _contents(told) == ["first", "second"]

    run(scenario)


def test_one_that_has_failed_for_good_gets_one_more_attempt(
    database_url: str, conn: Conn, database: Database, account: UUID, box: SecretBox
) -> None:
    """As a replay has: when that fails, too, it has failed for good again, and counts against nobody."""

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            told.answers["/"] = status(404)
            webhook_id = make_webhook(conn, account, told.url, box)
            append_message(conn, make_conversation(conn, account), "late")
            await hooks.deliver()
            conn.execute("update webhook_deliveries set state = 'failed', attempts = 10, settled_at = now()")
            late = _delivery_of(conn, told, "late")
            service.retry_delivery(database, account, webhook_id, late)
            await hooks.send_all()
            assert _contents(told) == ["late", "late"]
            assert one(conn, "select state from webhook_deliveries")["state"] == "failed"
            told.answers.clear()
            service.retry_delivery(database, account, webhook_id, late)
            await hooks.send_all()
            assert one(conn, "select state from webhook_deliveries")["state"] == "delivered"

    run(scenario)
    assert one(conn, "select consecutive_failures as n from webhook_queues")["n"] == 1


def _let_wait(conn: Conn) -> None:
    """Everything has failed again and again: it waits for hours, and the endpoint rests."""
    conn.execute("update webhook_deliveries set next_at = now() + interval '5 hours', lane = 1 where state = 'open'")
    conn.execute(
        "update webhook_queues set not_before = now() + interval '5 minutes', due_at = now() + interval '1 day'"
    )


def _contents(told: Receiver) -> list[str]:
    return [request.event["data"]["content"] for request in told.received]


def _delivery_of(conn: Conn, told: Receiver, content: str) -> int:
    event_id = next(r.headers["webhook-id"] for r in told.received if r.event["data"]["content"] == content)
    delivery_id: int = one(conn, "select id from webhook_deliveries where event_id = %(id)s", id=event_id)["id"]
    return delivery_id
