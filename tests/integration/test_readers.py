"""What each side makes of the log's own rows: broadcasts, webhook bodies, catch-up and what goes to a phone."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import jsonschema_rs
import psycopg
import pytest
from psycopg import AsyncConnection

from gateway.domain.event_cursors import EventCursor
from gateway.shapes.catalogue import BY_TYPE
from gateway.store.events import read_events
from realtime_bridge.event_log.event import Event
from realtime_bridge.shared.topics import conversation_topic, inbox_topic
from realtime_bridge.supabase.sink import broadcasts_of
from realtime_bridge.webhooks.queue.bodies import Bodies
from realtime_bridge.wuzapi.sink import WuzapiSink
from tests.written import Written


@pytest.fixture(scope="module")
def bodies(written: Written) -> dict[int, dict[str, Any]]:
    """The webhook body of every event, by its id in the log."""

    async def load() -> dict[int, dict[str, Any]]:
        async with await AsyncConnection.connect(written.database_url, autocommit=True) as connection:
            logged = [(event.id, event.created_at) for event in written.events]
            return {id_: json.loads(body) for id_, body in (await Bodies().load(connection, logged)).items()}

    return asyncio.run(load())


def test_broadcasts_say_what_the_log_says(written: Written) -> None:
    """Each event goes to its conversation and to everybody's inbox, with the payload as it stands in the log."""
    for event in written.events:
        broadcasts = broadcasts_of(event)
        assert [one.topic for one in broadcasts] == [
            conversation_topic(event.conversation_id),
            *(inbox_topic(user) for user in event.participants),
        ]
        assert all((one.event, one.payload) == (event.type, event.payload) for one in broadcasts)
        assert (event.payload["eventId"], event.payload["seq"]) == (str(event.event_id), event.seq)


def test_a_priority_reaches_every_reader(written: Written, bodies: dict[int, dict[str, Any]]) -> None:
    """As it was when the event was made, broadcast and sent; what came by phone is normal."""
    for step, priority in (("created", "high"), ("renamed", "urgent"), ("woken", "urgent")):
        event = written.event(step)
        told = [bodies[event.id]["data"], *(one.payload for one in broadcasts_of(event))]
        assert {said["priority"] for said in told} == {priority}
    assert written.event("from a phone", "conversation.new").payload["priority"] == "normal"


def test_attachments_stand_at_the_top(written: Written) -> None:
    """A message's files are a field of the payload, whatever its own metadata calls attachments."""
    assert written.event("picture").payload["attachments"] == [written.attachment]
    assert written.event("sent").payload["attachments"] == []
    assert written.event("sent").payload["metadata"]["attachments"] == ["mine"]


def test_webhook_bodies_are_as_described(written: Written, bodies: dict[int, dict[str, Any]]) -> None:
    """Every body fits the schema that its type is described with, and the description leaves no field out."""
    for event in written.events:
        body, kind = bodies[event.id], BY_TYPE[event.type]
        jsonschema_rs.validate(kind.schema, body)
        assert set(body["data"]) <= set(kind.data["properties"])
        assert body["data"] == event.payload
        assert (body["type"], body["eventId"]) == (event.type, str(event.event_id))
        assert (body["seq"], body["conversationSeq"]) == (event.id, event.seq)


def test_catch_up_says_what_webhooks_say(written: Written, bodies: dict[int, dict[str, Any]]) -> None:
    """A consumer may use either: the same events, in the same words."""
    with psycopg.connect(written.database_url, autocommit=True) as connection:
        page = read_events(connection, written.account_id, EventCursor(high_water=0), types=None, limit=500)
    assert [json.loads(item) for item in page.items] == [bodies[id_] for id_ in sorted(bodies)]


def test_only_what_was_sent_to_a_phone_goes_to_one(written: Written) -> None:
    """Of everything in the log, the sink queues the one text that a channel has to send, however often it is asked."""
    queued = asyncio.run(_queued(written.database_url, [*written.events, *written.events]))
    assert queued == [written.event("to a phone").payload["id"]]


async def _queued(database_url: str, events: Sequence[Event]) -> list[int]:
    async with (
        await AsyncConnection.connect(database_url) as connection,
        connection.transaction(force_rollback=True),
    ):
        await connection.execute("delete from chat_channel_sends")
        await WuzapiSink().deliver(events, connection)
        rows = await (await connection.execute("select message_id from chat_channel_sends")).fetchall()
        return [row[0] for row in rows]
