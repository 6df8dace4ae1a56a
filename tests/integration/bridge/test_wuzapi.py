"""Texts on their way to phones: once each, in order, whatever the server does."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from aiohttp import web
from psycopg.rows import DictRow

from realtime_bridge.relay import Relay
from realtime_bridge.secrets import SecretBox
from realtime_bridge.sinks.wuzapi import WuzapiSink
from realtime_bridge.wuzapi import sends, token_context
from realtime_bridge.wuzapi.client import WuzapiClient
from realtime_bridge.wuzapi.sender import Sender
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user
from tests.integration.bridge.conftest import held_relay, open_pool, run
from tests.waiting import eventually
from tests.wuzapi_server import TOKEN, WuzapiServer

ANA, BOB = "5491155553934@s.whatsapp.net", "5491100000000@s.whatsapp.net"
SECRETS = SecretBox([bytes(32)])


def make_channel(
    conn: psycopg.Connection[DictRow], account_id: UUID, url: str, *, name: str = "whatsapp", token: str = TOKEN
) -> UUID:
    channel_id = uuid4()
    conn.execute(
        "insert into chat_channels (id, user_id, kind, name, base_url, sealed_token, sealed_hmac_key)"
        " values (%s, %s, 'wuzapi', %s, %s, %s, '')",
        (channel_id, account_id, name, url, SECRETS.seal(token.encode(), token_context(channel_id))),
    )
    return channel_id


def whatsapp_conversation(
    conn: psycopg.Connection[DictRow], account_id: UUID, contact: str, channel: str = "whatsapp"
) -> int:
    conversation_id = make_conversation(conn, account_id, contact=contact)
    conn.execute("update conversations set channel = %s where id = %s", (channel, conversation_id))
    return conversation_id


@contextlib.asynccontextmanager
async def path_to_phones(
    database_url: str, *urls: str, timeout_s: float = 5.0, **options: Any
) -> AsyncIterator[tuple[Relay, Sender]]:
    """A relay and a sender, driven step by step."""
    client = WuzapiClient(timeout_s=timeout_s)
    async with held_relay(database_url, WuzapiSink()) as relay, open_pool(database_url) as pool:
        sender = Sender(pool=pool, secrets=SECRETS, servers=frozenset(urls), client=client, **options)
        try:
            yield relay, sender
        finally:
            await client.close()


async def send_all(sender: Sender) -> None:
    while await sender.run_once():
        await sender.drain()


def due_now(conn: psycopg.Connection[DictRow]) -> None:
    """Let the waits be over."""
    conn.execute("update chat_channel_sends set next_at = now() where state = 'queued'")
    conn.execute("update chat_channels set retry_at = null")


def statuses(conn: psycopg.Connection[DictRow]) -> list[str]:
    return [row["status"] for row in conn.execute("select status from chat_messages order by id").fetchall()]


def test_a_text_reaches_the_phone_and_is_sent(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """One request under an id of our own; then the row and a `message.status` event say so, with the id."""
    account = make_user(conn)

    async def scenario() -> None:
        async with WuzapiServer().serve() as server, path_to_phones(database_url, server.url) as (relay, sender):
            make_channel(conn, account, server.url)
            append_message(conn, whatsapp_conversation(conn, account, ANA), "hola")
            await relay.run_once()
            await send_all(sender)
            assert server.shown("5491155553934") == ["hola"]
            (request,) = server.requests
            event = one(conn, "select seq, payload, origin from chat_events where type = 'message.status'")
            assert (event["seq"], event["origin"]) == (2, "wuzapi")
            assert event["payload"]["status"] == "sent"
            assert event["payload"]["providerMessageId"] == request["Id"]
            assert one(conn, "select status, provider_message_id as id from chat_messages") == {
                "status": "sent",
                "id": request["Id"],
            }

    run(scenario)


def test_a_lost_answer_does_not_send_twice(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """WUZAPI sent and the connection broke: the retry carries the same id, and the phone shows one message."""
    account = make_user(conn)

    async def scenario() -> None:
        async with WuzapiServer().serve() as server, path_to_phones(database_url, server.url) as (relay, sender):
            make_channel(conn, account, server.url)
            append_message(conn, whatsapp_conversation(conn, account, ANA), "once")
            await relay.run_once()
            server.answers_to_lose = 2
            for _ in range(3):
                due_now(conn)
                await send_all(sender)
            assert len(server.requests) == 3
            assert len({request["Id"] for request in server.requests}) == 1
            assert server.shown("5491155553934") == ["once"]
            assert statuses(conn) == ["sent"]

    run(scenario)


def test_an_event_delivered_again_is_queued_once(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """A relay that repeats a page, as after a takeover, asks nobody to send again."""
    account = make_user(conn)

    async def scenario() -> None:
        async with WuzapiServer().serve() as server:
            make_channel(conn, account, server.url)
            append_message(conn, whatsapp_conversation(conn, account, ANA), "once")
            for _ in range(2):
                conn.execute("update relay_cursors set high_water = 0, holes = '[]' where sink = 'wuzapi'")
                async with path_to_phones(database_url, server.url) as (relay, sender):
                    await relay.run_once()
                    await send_all(sender)
            assert len(server.requests) == 1

    run(scenario)


def test_a_sender_that_dies_is_replaced_under_the_same_id(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """A message taken by a sender that never came back goes out again with its id; a late report changes nothing."""
    account = make_user(conn)

    async def scenario() -> None:
        async with WuzapiServer().serve() as server, path_to_phones(database_url, server.url) as (relay, dying):
            make_channel(conn, account, server.url)
            append_message(conn, whatsapp_conversation(conn, account, ANA), "once")
            await relay.run_once()
            server.talks.clear()
            assert await dying.run_once() == 1
            due_now(conn)  # its lease is over
            async with path_to_phones(database_url, server.url) as (_, other):
                assert await other.run_once() == 1
                server.talks.set()
                await other.drain()
            await dying.drain()
            assert server.shown("5491155553934") == ["once"]
            assert one(conn, "select count(*) as n from chat_events where type = 'message.status'")["n"] == 1

    run(scenario)


def test_a_conversation_stays_in_order_and_holds_up_no_other(
    database_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """While a conversation's first message fails its later ones wait; another conversation's go on."""
    account = make_user(conn)

    async def scenario() -> None:
        async with WuzapiServer().serve() as server, path_to_phones(database_url, server.url) as (relay, sender):
            make_channel(conn, account, server.url)
            first, second = (whatsapp_conversation(conn, account, contact) for contact in (ANA, BOB))
            for number in range(3):
                append_message(conn, first, f"ana {number}")
            await relay.run_once()
            server.failures = [web.json_response({"code": 500, "error": "no session"}, status=500)]
            await send_all(sender)
            assert server.shown("5491155553934") == []
            append_message(conn, second, "bob")
            await relay.run_once()
            conn.execute("update chat_channels set retry_at = null")
            await send_all(sender)
            assert server.shown("5491100000000") == ["bob"]
            due_now(conn)
            await send_all(sender)
            assert server.shown("5491155553934") == ["ana 0", "ana 1", "ana 2"]

    run(scenario)


def test_a_dead_server_delays_only_its_own_channel(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """One account's server hangs; another account's message is sent meanwhile."""
    slow, quick = make_user(conn), make_user(conn)

    async def scenario() -> None:
        async with (
            WuzapiServer().serve() as hanging,
            WuzapiServer().serve() as server,
            path_to_phones(database_url, hanging.url, server.url, timeout_s=1.0) as (relay, sender),
        ):
            hanging.talks.clear()
            for account, url in ((slow, hanging.url), (quick, server.url)):
                make_channel(conn, account, url)
                append_message(conn, whatsapp_conversation(conn, account, ANA), "hi")
            await relay.run_once()
            assert await sender.run_once() == 2
            await eventually(lambda: server.shown("5491155553934") == ["hi"], "the healthy channel's message")
            append_message(conn, 1, "while it hangs")
            await relay.run_once()
            assert await sender.run_once() == 0
            await sender.drain()
            assert statuses(conn) == ["pending", "sent", "pending"]
            assert one(conn, "select last_error from chat_channels where user_id = %(u)s", u=slow) == {
                "last_error": "WUZAPI did not answer in time."
            }

    run(scenario)


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (web.json_response({"code": 400, "error": "could not parse Phone"}, status=400), "failed", "parse Phone"),
        (web.json_response({"code": 401, "error": "unauthorized"}, status=401), "pending", "401: unauthorized"),
        (web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "pending", "302"),
        (web.Response(status=200, text="<html>"), "pending", "200"),
        (web.Response(status=429, headers={"Retry-After": "120"}), "pending", "429"),
        (web.json_response({"code": 500, "error": "no session"}, status=500), "pending", "no session"),
    ],
)
def test_what_each_answer_means(
    database_url: str, conn: psycopg.Connection[DictRow], answer: web.Response, status: str, reason: str
) -> None:
    """Only a complaint about the message itself fails it; everything else is tried again, and the reason is kept."""
    account = make_user(conn)

    async def scenario() -> None:
        async with WuzapiServer().serve() as server, path_to_phones(database_url, server.url) as (relay, sender):
            make_channel(conn, account, server.url)
            append_message(conn, whatsapp_conversation(conn, account, ANA))
            await relay.run_once()
            server.failures = [answer]
            await send_all(sender)

    run(scenario)
    assert statuses(conn) == [status]
    row = one(conn, "select last_error, next_at - now() as wait from chat_channel_sends")
    assert reason in row["last_error"]
    metadata = one(conn, "select metadata from chat_messages")["metadata"]
    assert (reason in metadata.get("deliveryError", "")) == (status == "failed")
    if answer.status == 429:
        assert row["wait"] > timedelta(seconds=100)


def test_nothing_is_tried_for_ever(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """A message that could not be sent for a day fails, and says why."""
    account = make_user(conn)

    async def scenario() -> None:
        async with (
            WuzapiServer().serve() as server,
            path_to_phones(database_url, server.url, give_up=timedelta(0)) as (relay, sender),
        ):
            make_channel(conn, account, server.url, token="revoked")
            append_message(conn, whatsapp_conversation(conn, account, ANA))
            await relay.run_once()
            await send_all(sender)

    run(scenario)
    assert statuses(conn) == ["failed"]


def test_a_server_that_is_not_listed_is_never_called(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Taking a server off the operator's list stops all calls at once."""
    account = make_user(conn)

    async def scenario() -> None:
        async with WuzapiServer().serve() as server, path_to_phones(database_url) as (relay, sender):
            make_channel(conn, account, server.url)
            append_message(conn, whatsapp_conversation(conn, account, ANA))
            await relay.run_once()
            await send_all(sender)
            assert server.requests == []
            assert "CROSSFADE_WUZAPI_URLS" in one(conn, "select last_error from chat_channels")["last_error"]

    run(scenario)


def test_only_new_outgoing_messages_of_channels_are_sent(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Other conversations, what came from the phone, what was sent already and foreign channels stay where they are."""
    account, stranger = make_user(conn), make_user(conn)

    async def scenario() -> None:
        async with WuzapiServer().serve() as server, path_to_phones(database_url, server.url) as (relay, sender):
            make_channel(conn, account, server.url)
            append_message(conn, make_conversation(conn, account, contact=ANA))
            append_message(conn, whatsapp_conversation(conn, stranger, ANA))
            for change in ("origin = 'wuzapi'", "origin = 'import'", 'payload = payload || \'{"status": "read"}\''):
                append_message(conn, whatsapp_conversation(conn, account, ANA))
                conn.execute(f"update chat_events set {change} where id = (select max(id) from chat_events)")
            image = append_message(conn, whatsapp_conversation(conn, account, BOB))
            conn.execute("update chat_messages set message_type = 'image' where id = %s", (image,))
            deleted = append_message(conn, whatsapp_conversation(conn, account, BOB))
            conn.execute("update chat_messages set deleted_at = now() where id = %s", (deleted,))
            await relay.run_once()
            await send_all(sender)
            assert server.requests == []
            assert statuses(conn)[-2:] == ["failed", "pending"]

    run(scenario)


def test_a_phone_number_is_preferred_to_a_lid(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """A contact first seen under a LID is answered at the number that became known later."""
    account = make_user(conn)

    async def scenario() -> None:
        async with WuzapiServer().serve() as server, path_to_phones(database_url, server.url) as (relay, sender):
            channel = make_channel(conn, account, server.url)
            conversation = whatsapp_conversation(conn, account, "77@lid")
            conn.execute(
                "insert into chat_channel_contacts values (%(c)s, '77@lid', %(k)s), (%(c)s, %(j)s, %(k)s)",
                {"c": channel, "k": conversation, "j": ANA},
            )
            append_message(conn, conversation, "hi")
            await relay.run_once()
            await send_all(sender)
            assert server.shown("5491155553934") == ["hi"]

    run(scenario)


def test_old_settled_messages_are_forgotten(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """The queue does not grow for ever; what waits, and what was settled lately, stays."""
    account = make_user(conn)

    async def scenario() -> None:
        async with WuzapiServer().serve() as server, path_to_phones(database_url, server.url) as (relay, sender):
            make_channel(conn, account, server.url)
            for contact in (ANA, BOB):
                append_message(conn, whatsapp_conversation(conn, account, contact))
            await relay.run_once()
            await send_all(sender)
            conn.execute("update chat_channel_sends set settled_at = now() - interval '8 days' where message_id = 1")
            async with open_pool(database_url) as pool, pool.connection() as connection:
                assert await sends.forget_settled(connection) == 1
                assert await sends.forget_settled(connection) == 0

    run(scenario)
    assert one(conn, "select count(*) as n from chat_channel_sends")["n"] == 1
