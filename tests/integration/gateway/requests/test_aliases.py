"""Names that consumers of the first design send: taken as they are, beside ours."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.integration.gateway.conftest import Account, data, problem

ITEM = {"content": "x", "direction": "incoming", "createdAt": "2020-01-01T00:00:00Z"}


@pytest.fixture
def messages(account: Account) -> str:
    return f"/conversations/{account.make_conversation()}/messages"


def test_type_is_message_type(account: Account, messages: str) -> None:
    """Sent or imported, alone or together with the same value; answers say `messageType`."""
    for body in ({"type": "image"}, {"type": "image", "messageType": "image"}):
        assert data(account.post(messages, {"content": "x"} | body))["messageType"] == "image"
    assert data(account.post(f"{messages}:import", {"messages": [ITEM | {"type": "audio"}]}))["imported"] == 1
    kinds = [message["messageType"] for message in data(account.get(messages))]
    assert sorted(kinds) == ["audio", "image", "image"]


def test_two_different_types_are_a_mistake(account: Account, messages: str) -> None:
    """Nobody guesses which was meant; a word that is no type is told by the name that was used for it."""
    document = problem(
        account.post(messages, {"content": "x", "type": "image", "messageType": "text"}), 422, "validation_failed"
    )
    assert document["errors"][0]["code"] == "conflicting"
    document = problem(account.post(messages, {"content": "x", "type": "hologram"}), 422, "validation_failed")
    assert (document["errors"][0]["pointer"], document["errors"][0]["code"]) == ("/type", "not_allowed")


def test_a_large_limit_is_a_hundred_where_pages_are_counted(account: Account, messages: str) -> None:
    """On the list of conversations, as it always was; elsewhere one too many is a mistake, and 0 everywhere."""
    for limit in (100, 101, 10_000):
        assert account.get(f"/conversations?limit={limit}").get_json()["pagination"]["limit"] == 100
    assert account.get("/conversations").get_json()["pagination"]["limit"] == 20
    problem(account.get(f"{messages}?limit=101"), 422, "validation_failed")
    problem(account.get("/conversations?limit=0"), 422, "validation_failed")


def test_webhooks_subscribe_by_the_old_names(owner: Account) -> None:
    """They are kept as they were written, stand among the event types with a description, and can be tried out."""
    body = {"url": "https://example.com/hooks", "eventTypes": ["message.received", "message.sent"]}
    made = data(owner.post("/webhooks", body))
    assert made["eventTypes"] == ["message.received", "message.sent"]
    kinds = {kind["type"]: kind for kind in data(owner.get("/webhooks/event-types"))}
    for alias, direction in (("message.received", "incoming"), ("message.sent", "outgoing")):
        assert direction in kinds[alias]["description"]
        assert kinds[alias]["example"]["direction"] == direction
    queued = data(owner.post(f"/webhooks/{made['id']}/test", {"type": "message.received"}))
    assert queued["type"] == "message.received"


def test_what_was_missed_is_recovered_by_either_name(owner: Account, conn: psycopg.Connection[DictRow]) -> None:
    """Under the name that the endpoint wants; a range may be asked for by the event's own name or by the old one."""
    conversation = owner.make_conversation()
    body = {"url": "https://example.com/hooks", "eventTypes": ["message.received"]}
    path = f"/webhooks/{data(owner.post('/webhooks', body))['id']}/recover"
    for direction in ("incoming", "outgoing", "incoming"):
        owner.send(conversation, direction=direction)
    conn.execute("update relay_cursors set high_water = (select max(id) from chat_events) where sink = 'webhooks'")
    since = {"since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
    for types, missing in ((["message.sent"], 0), (["message.received"], 2)):
        assert data(owner.post(path, since | {"types": types}))["missing"] == missing
    for types in (["message.new"], ["message.received"], ["message.*"]):
        conn.execute("update webhook_deliveries set state = 'failed' where type = 'message.received'")
        assert data(owner.post(path, since | {"types": types}))["failed"] == 2
        assert data(owner.post(path, since | {"types": ["message.sent"]}))["failed"] == 0


def test_the_names_are_documented(new_account: Callable[..., Account]) -> None:
    """In the document for programs, and on the page for people."""
    client = new_account().client
    document = client.get("/api/v1/openapi.json").get_json()
    assert document["components"]["schemas"]["SendMessage"]["properties"]["type"]["description"]
    assert {"message.received", "message.sent"} <= set(document["webhooks"])
    assert "message.received" in client.get("/docs/events").text
    assert "How many at most; more than 100 is 100." in client.get("/docs/api/conversations").text
