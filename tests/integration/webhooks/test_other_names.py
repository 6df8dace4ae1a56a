"""Endpoints that subscribe by the names of the first design: what they are sent, and what is recovered for them."""

from pathlib import Path

import jsonschema_rs
import psycopg
import pytest
from psycopg.rows import DictRow

from gateway.shapes.catalogue import BY_TYPE
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.webhooks.contract.signing import new_secret
from realtime_bridge.webhooks.receiver import verify
from tests.factories import make_webhook
from tests.integration.webhooks.conftest import webhooks
from tests.relays import run
from tests.servers.receivers import receiver
from tests.written import Written, write_everything

SUBSCRIPTIONS = {
    "/received": ["message.received"],
    "/sent": ["message.sent"],
    "/mixed": ["message.sent", "conversation.assigned"],
    "/both": ["message.new", "message.received"],
    "/all": ["*", "message.sent"],
}


@pytest.fixture
def scene(conn: psycopg.Connection[DictRow], database_url: str, redis_url: str, tmp_path: Path) -> Written:
    """Every kind of event, in a database that may be written to."""
    return write_everything(conn, database_url, f"{redis_url}?db=8", tmp_path)


def test_each_is_sent_what_it_asked_for_by_its_name(
    scene: Written, database_url: str, conn: psycopg.Connection[DictRow], box: SecretBox
) -> None:
    """`message.received` and `message.sent` are `message.new` of one direction, signed and described like any event."""
    secret = new_secret()
    told_of: dict[str, list[tuple[str, str]]] = {}

    async def scenario() -> None:
        async with receiver() as told, webhooks(database_url) as hooks:
            for path, types in SUBSCRIPTIONS.items():
                make_webhook(conn, scene.account_id, told.url + path, box, event_types=types, secrets=[secret])
            await hooks.deliver()
            for request in told.received:
                body = verify(request.body, request.headers, [secret])
                jsonschema_rs.validate(BY_TYPE[body["type"]].schema, body)
                assert request.headers["webhook-id"] == body["eventId"]
                told_of.setdefault(request.path, []).append((body["type"], body["data"].get("direction", "")))

    run(scenario)
    new = [event.payload["direction"] for event in scene.events if event.type == "message.new"]
    incoming, outgoing = new.count("incoming"), new.count("outgoing")
    assert incoming > 1
    assert outgoing > 1
    assert told_of["/received"] == [("message.received", "incoming")] * incoming
    assert told_of["/sent"] == [("message.sent", "outgoing")] * outgoing
    assert sorted(told_of["/mixed"]) == [("conversation.assigned", "")] + [("message.sent", "outgoing")] * outgoing
    assert sorted(told_of["/both"]) == [("message.new", direction) for direction in sorted(new)]
    assert {kind for kind, _ in told_of["/all"]} == {event.type for event in scene.events}
