"""Texts on their way to phones: once, in order, and nothing that is not meant for them."""

import psycopg
from aiohttp import web
from psycopg.rows import DictRow

from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user
from tests.integration.bridge.wuzapi.channel import (
    ANA,
    BOB,
    due_now,
    make_channel,
    path_to_phones,
    send_all,
    statuses,
    whatsapp_conversation,
)
from tests.relays import run
from tests.servers.wuzapi_server import WuzapiServer


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
