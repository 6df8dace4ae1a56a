"""The HTTP transport and the fallback that takes over in silence, heard by the official client of a real endpoint."""

import asyncio
from uuid import UUID, uuid5

import psycopg
from psycopg.rows import DictRow

from ops.local_supabase.settings import CLI_SECRET_KEY
from realtime_bridge.shared.topics import conversation_topic, inbox_topic
from realtime_bridge.supabase.database import DatabaseTransport
from realtime_bridge.supabase.http import HttpTransport
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.sink import RealtimeService, SupabaseSink
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user
from tests.integration.bridge.supabase.live import all_heard, listening, local_supabase
from tests.relays import held_relay

MESSAGES = 120  # two batches for two topics each


def test_http_delivers_everything_once_and_in_order(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Conversation and inbox hear every message once, in order, under an id made of event and topic; none is parked."""
    account = make_user(conn)
    conversation_id = make_conversation(conn, account)
    topics = conversation_topic(conversation_id), inbox_topic(account)
    for number in range(MESSAGES):
        append_message(conn, conversation_id, str(number))

    async def scenario() -> None:
        async with local_supabase(admin_url) as supabase, listening(supabase, account, *topics) as listener:
            transport = HttpTransport(supabase_url=supabase.url, secret_key=CLI_SECRET_KEY, timeout_s=20.0)
            async with held_relay(database_url, SupabaseSink(RealtimeService(transport))) as relay:
                assert sum([await relay.run_once() for _ in range(2)]) == MESSAGES  # the first page is small
            for topic in topics:
                await all_heard(listener, topic, MESSAGES)
                assert listener.seqs(topic) == list(range(1, MESSAGES + 1))
            assert len(set(listener.ids)) == 2 * MESSAGES
            for topic, payload, name in listener.heard:
                assert name == str(uuid5(UUID(payload["eventId"]), topic))
            await transport.close()

    asyncio.run(scenario())
    assert one(conn, "select count(*) as n from parked_events")["n"] == 0


def test_what_is_sent_again_over_http_is_a_repeat_by_its_id(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Heard through the database already, sent again by the fallback: the same ids, and not one more."""
    account = make_user(conn)
    conversation_id = make_conversation(conn, account)
    topics = conversation_topic(conversation_id), inbox_topic(account)

    async def scenario() -> None:
        async with local_supabase(admin_url) as supabase, listening(supabase, account, *topics) as listener:
            http = HttpTransport(supabase_url=supabase.url, secret_key=CLI_SECRET_KEY, timeout_s=20.0)
            way = Way()
            fallback = DatabaseTransport(way, http)
            async with held_relay(database_url, SupabaseSink(RealtimeService(fallback), way), echo=way) as relay:
                for number in range(MESSAGES // 2):
                    append_message(conn, conversation_id, str(number))
                assert await relay.run_once() == MESSAGES // 2
                for topic in topics:
                    await all_heard(listener, topic, MESSAGES // 2)
                way.use_http()
                for number in range(MESSAGES // 2):
                    append_message(conn, conversation_id, str(number))
                while await relay.run_once():
                    pass
            for topic in topics:
                await all_heard(listener, topic, MESSAGES)
                assert listener.first_heard(topic) == list(range(1, MESSAGES + 1))
            assert len(listener.heard) == 3 * MESSAGES
            assert len(set(listener.ids)) == 2 * MESSAGES
            await http.close()

    asyncio.run(scenario())
    assert one(conn, "select count(*) as n from parked_events")["n"] == 0
