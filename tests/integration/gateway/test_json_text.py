"""JSON as it is read: the described fields in the described order, numbers as written, a newline at the end."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.openapi.catalogue import OPERATIONS
from gateway.openapi.field_order import Shape, ordered, shapes
from tests.integration.gateway.conftest import Account, data

FILE = {"fileName": "a.pdf", "contentType": "application/pdf", "sizeBytes": 9}


def check_order(value: Any, shape: Shape | None, place: str) -> None:
    """Every object's fields come as the document has them."""
    if shape is None:
        return
    if isinstance(value, list):
        for one in value:
            check_order(one, shape, f"{place}[]")
    if isinstance(value, dict):
        described = [name for name in shape.fields if name in value]
        assert list(value) == described, place
        for name, inner in shape.fields.items():
            check_order(value.get(name), inner, f"{place}.{name}")


def test_fields_come_in_the_order_of_the_document(account: Account, new_account: Callable[..., Account]) -> None:
    """On every kind of answer: made, read, listed, nested, logged, exported."""
    conversation = account.make_conversation()
    path = f"/conversations/{conversation}"
    message = account.send(conversation)["id"]
    key = data(account.post("/keys", {"name": "x", "scopes": ["chat:read"]}))["id"]
    data(account.post("/attachments", FILE))
    webhook = data(account.post("/webhooks", {"url": "https://example.com/hooks"}))["id"]
    imported = {"content": "a", "direction": "incoming", "createdAt": "2020-01-01T00:00:00Z"}
    answers = {
        "conversations.create_conversation": account.post("/conversations", {"contactJid": "a@b"}),
        "conversations.list_conversations": account.get("/conversations"),
        "conversations.get_conversation": account.get(path),
        "participants.list_participants": account.get(f"{path}/participants"),
        "messages.send_message": account.post(f"{path}/messages", {"content": "x", "metadata": {"zz": 1, "a": 2}}),
        "messages.list_messages": account.get(f"{path}/messages"),
        "messages.get_message": account.get(f"{path}/messages/{message}"),
        "messages.search_messages": account.get("/messages/search?q=x"),
        "imports.import_messages": account.post(f"{path}/messages:import", {"messages": [imported, {}]}),
        "attachments.create_attachment": account.post("/attachments", FILE),
        "events.list_events": account.get("/events"),
        "keys.list_keys": account.get("/keys"),
        "keys.get_key": account.get(f"/keys/{key}"),
        "keys.rotate_key": account.post(f"/keys/{key}/rotate", {}),
        "webhooks.list_webhooks": account.get("/webhooks"),
        "webhooks.list_event_types": account.get("/webhooks/event-types"),
        "webhooks.list_secrets": account.get(f"/webhooks/{webhook}/secrets"),
        "webhooks.list_deliveries": account.get(f"/webhooks/{webhook}/deliveries"),
    }
    for endpoint, answer in answers.items():
        assert answer.status_code < 300, (endpoint, answer.text)
        check_order(json.loads(answer.text), shapes()[endpoint], endpoint)
        assert answer.text.endswith("}\n"), endpoint
        assert answer.headers["Content-Length"] == str(len(answer.data))


def test_every_described_answer_has_its_order() -> None:
    """Of each operation with a body; an event may be of any type, and has the fields of all of them."""
    assert set(shapes()) == {name for name, operation in OPERATIONS.items() if operation.answer is not None}
    event = shapes()["events.list_events"].fields["data"]
    assert event is not None
    assert list(event.fields)[:3] == ["type", "timestamp", "data"]
    inner = event.fields["data"]
    assert inner is not None
    assert {"content", "contactJid"} <= set(inner.fields)


def test_errors_and_probes_end_their_line(account: Account) -> None:
    """A shell's prompt begins where a prompt begins."""
    for path in ("/api/v1/chat/nothing", "/livez", "/api/v1/openapi.json"):
        assert account.client.get(path).text.endswith("}\n")


@pytest.mark.parametrize("number", ["1.10", "0.12345678901234567890123", "1" * 309, "-1.5", "1e3", "9" * 5_000])
def test_numbers_stay_as_they_were_written(number: str) -> None:
    """A float of ours would not: neither its digits nor, past 4,300 of them, its reading."""
    text = f'{{"data": {{"seq": 1, "id": 2, "metadata": {{"b": [{number}], "a": "{{\\"x"}}}}, "success": true}}'
    found = ordered(text, "messages.get_message")
    assert f'"metadata": {{"b": [{number}], "a": "{{\\"x"}}' in found
    if len(number) < 4_300:
        assert found.startswith('{"success": true, "data": {"id": 2, "seq": 1, ')


def test_what_nobody_described_stays(account: Account) -> None:
    """An answer of another route, and a field that the description lacks, which comes last."""
    assert ordered('{"b": 1, "a": 2}', "nobody.knows") == '{"b": 1, "a": 2}'
    found = ordered('{"new": 1.5, "data": null, "success": true}', "keys.get_key")
    assert found == '{"success": true, "data": null, "new": 1.5}'
    assert ordered('{"new": 1, "data": null, "success": true}', "keys.get_key") == found.replace("1.5", "1")


def test_a_replayed_answer_is_the_same_text(account: Account) -> None:
    """Kept before it was sorted or after: the caller cannot tell."""
    body = {"contactJid": "a@b"}
    first, again = (account.post("/conversations", body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.text == again.text
