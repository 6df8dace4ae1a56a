"""What a WUZAPI server's answers mean, and what a dead one does to others: nothing."""

from datetime import timedelta

import psycopg
import pytest
from aiohttp import web
from psycopg.rows import DictRow

from realtime_bridge.shared import shares
from realtime_bridge.wuzapi import queue
from realtime_bridge.wuzapi.channels import token_context
from realtime_bridge.wuzapi.queue import SENDS
from tests.conftest import one
from tests.factories import append_message, make_user
from tests.integration.bridge.wuzapi.channel import (
    ANA,
    BOB,
    SECRETS,
    make_channel,
    path_to_phones,
    send_all,
    statuses,
    whatsapp_conversation,
)
from tests.relays import open_pool, run
from tests.servers.wuzapi_server import WuzapiServer
from tests.waiting import eventually


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (web.json_response({"code": 400, "error": "could not parse Phone"}, status=400), "failed", "parse Phone"),
        (web.json_response({"code": 401, "error": "unauthorized"}, status=401), "pending", "401: unauthorized"),
        (web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "pending", "302"),
        (web.Response(status=200, text="<html>"), "pending", "200"),
        (web.Response(status=429, headers={"Retry-After": "120"}), "pending", "429"),
        (web.json_response({"code": 500, "error": "no session"}, status=500), "pending", "no session"),
        (web.Response(status=200, body=b"[" * 16_000), "pending", "200"),
        (web.Response(status=400, body=b"[" * 16_000), "failed", "400"),
        (web.Response(status=400, body=rb'{"error": "nul \u0000 in it"}'), "failed", "nul \ufffd in it"),
        (web.Response(status=500, body=rb'{"error": "nul \u0000 in it"}'), "pending", "nul \ufffd in it"),
        (web.Response(status=400, body=rb'{"error": "half \ud83d of it"}'), "failed", "half ? of it"),
        (
            web.Response(status=200, body=b'{"success": true, "padding": "' + b"x" * 100_000),
            "pending",
            "cannot be reached",
        ),
        (web.Response(status=200, body=b"{}", headers={"Content-Encoding": "gzip"}), "pending", "200"),
    ],
)
def test_what_each_answer_means(
    database_url: str, conn: psycopg.Connection[DictRow], answer: web.Response, status: str, reason: str
) -> None:
    """Only a complaint about the message itself fails it; everything else is tried again, and the reason is kept.

    Also when the answer cannot be read or stored as it stands.
    """
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


def test_a_long_answer_is_read_whole(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """However many packets it comes in: a message that was sent is not sent again for that."""
    account = make_user(conn)

    async def scenario() -> None:
        async with WuzapiServer().serve() as server, path_to_phones(database_url, server.url) as (relay, sender):
            make_channel(conn, account, server.url)
            append_message(conn, whatsapp_conversation(conn, account, ANA))
            await relay.run_once()
            server.failures = [web.json_response({"code": 200, "padding": "x" * 20_000, "success": True})]
            await send_all(sender)

    run(scenario)
    assert statuses(conn) == ["sent"]


def test_a_token_that_is_no_text_fails_its_messages(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Whatever goes wrong with one message has a reason and an end, and another account's is sent."""
    broken, well = make_user(conn), make_user(conn)

    async def scenario() -> None:
        async with (
            WuzapiServer().serve() as server,
            path_to_phones(database_url, server.url, give_up=timedelta(0)) as (relay, sender),
        ):
            channel_id = make_channel(conn, broken, server.url)
            sealed = SECRETS.seal(b"\xff", token_context(channel_id))
            conn.execute("update chat_channels set sealed_token = %s where id = %s", (sealed, channel_id))
            make_channel(conn, well, server.url)
            for account in (broken, well):
                append_message(conn, whatsapp_conversation(conn, account, ANA))
            await relay.run_once()
            await send_all(sender)

    run(scenario)
    assert statuses(conn) == ["failed", "sent"]


def test_a_crowd_of_channels_holds_its_share(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """One account's 260 channels hang: another's message is sent meanwhile, and the next claim has room for it."""
    hog, neighbour = make_user(conn), make_user(conn)

    async def scenario() -> None:
        async with (
            WuzapiServer().serve() as hanging,
            WuzapiServer().serve() as server,
            path_to_phones(database_url, hanging.url, server.url, timeout_s=60.0) as (relay, sender),
        ):
            hanging.talks.clear()
            for number in range(SENDS + 10):
                make_channel(conn, hog, hanging.url, name=f"line-{number}")
                append_message(conn, whatsapp_conversation(conn, hog, ANA, f"line-{number}"))
            while await relay.run_once():
                pass
            for _ in range(3):
                await sender.run_once()
            assert len(sender._busy) == shares.Held(SENDS).more()
            make_channel(conn, neighbour, server.url)
            append_message(conn, whatsapp_conversation(conn, neighbour, BOB), "hi")
            await relay.run_once()
            assert await sender.run_once() == 1
            await eventually(lambda: server.shown(BOB.partition("@")[0]) == ["hi"], "the neighbour's message", 5.0)
            hanging.talks.set()
            await sender.drain()
            await send_all(sender)
            assert len(hanging.requests) == SENDS + 10

    run(scenario)
    assert set(statuses(conn)) == {"sent"}


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
                assert await queue.forget_settled(connection) == 1
                assert await queue.forget_settled(connection) == 0

    run(scenario)
    assert one(conn, "select count(*) as n from chat_channel_sends")["n"] == 1
