"""A row of the log that nobody can read stops nobody: each side parks it, each reader passes it over."""

import json
from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import DictRow

from gateway.database import Database
from gateway.domain.event_cursors import EventCursor
from gateway.store import events as catch_up
from realtime_bridge.legacy.conversations import StoredConversations
from realtime_bridge.legacy.socketio.catch_up import readable
from realtime_bridge.relay.sink import Sink
from realtime_bridge.supabase.database import DatabaseTransport
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.sink import RealtimeService, SupabaseSink
from realtime_bridge.webhooks.sink import WebhookSink
from realtime_bridge.wuzapi.sink import WuzapiSink
from tests.conftest import (  # noqa: F401 - a clone of its own: its cursors count
    database_url,
    one,
)
from tests.factories import append_message, claims_of, make_conversation, make_user, make_webhook
from tests.fakes import RecordingSink
from tests.integration.webhooks.conftest import BOX
from tests.relays import held_relay, open_pool, run

Conn = psycopg.Connection[DictRow]
# ruff: noqa: F811 - what is imported above is named as an argument below
SPOILS = {
    "digits": "set payload = jsonb_set(payload, '{metadata}', ('{\"n\": ' || repeat('9', 4301) || '}')::jsonb)",
    "brackets": "set payload = jsonb_set(payload, '{metadata}', (repeat('[', 5000) || repeat(']', 5000))::jsonb)",
    "time": "set created_at = 'infinity'",
}
SINKS: dict[str, Callable[[], Sink]] = {
    "legacy": RecordingSink,
    "supabase": lambda: SupabaseSink(RealtimeService(DatabaseTransport(Way(hold_s=0.0)))),
    "webhooks": WebhookSink,
    "wuzapi": WuzapiSink,
}


def write_three(conn: Conn, spoil: str) -> tuple[UUID, int]:
    """Three messages, of which somebody with access to the database spoils the middle one."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)
    make_webhook(conn, account, "https://example.com/", BOX)
    for text in ("one", "spoilt", "three"):
        append_message(conn, conversation, text)
    conn.execute(f"update chat_events {SPOILS[spoil]} where payload->>'content' = 'spoilt'".encode())
    return account, conversation


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("spoil", SPOILS)
def test_every_side_parks_it_and_delivers_its_neighbours(database_url: str, conn: Conn, sink: str, spoil: str) -> None:
    """With its reason; asked to replay it, the side parks it again and goes on."""
    write_three(conn, spoil)

    async def scenario() -> None:
        async with held_relay(database_url, SINKS[sink]()) as relay:
            assert await relay.run_once() == 3
            assert relay.lease is not None
            assert relay.lease.delivered_count == 2
            conn.execute("update parked_events set replay_requested_at = now()")
            await relay.run_once()

    run(scenario)
    parked = one(conn, "select sink, reason, attempts, payload->>'content' as content from parked_events")
    assert (parked["sink"], parked["attempts"], parked["content"]) == (sink, 2, "spoilt")
    assert "cannot be read" in parked["reason"]


@pytest.mark.parametrize("spoil", ["digits", "brackets"])
def test_catch_up_passes_it_over(database_url: str, conn: Conn, spoil: str) -> None:
    """A consumer's page has the others, in JSON that every parser takes, and goes on after it."""
    account, _ = write_three(conn, spoil)
    database = Database(database_url, pool_size=1)
    try:
        with database.connection() as connection:
            page = catch_up.read_events(connection, account, EventCursor(high_water=0), types=None, limit=2)
            assert [json.loads(item)["data"]["content"] for item in page.items] == ["one"]
            assert page.has_more
            page = catch_up.read_events(connection, account, page.cursor, types=None, limit=2)
            assert [json.loads(item)["data"]["content"] for item in page.items] == ["three"]
    finally:
        database.close()


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_legacy_client_catches_up_past_it(database_url: str, conn: Conn, spoil: str) -> None:
    """What its subscription reads has the others' frames."""
    account, conversation = write_three(conn, spoil)

    async def scenario() -> None:
        async with open_pool(database_url) as pool:
            events = await StoredConversations(pool).read_events(conversation, claims_of(account), 0, 10)
            assert [bool(readable(event, None)) for event in events] == [True, False, True]

    run(scenario)
