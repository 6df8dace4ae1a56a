"""A key that may write and not read: it is answered what it did, and nothing that anybody wrote."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from gateway.domain.keys import Scope
from gateway.gates.api_key import needs_key
from gateway.http.scopes import scope_of
from tests.factories import make_key
from tests.integration.gateway.conftest import Account, data, problem
from tests.integration.gateway.messages.test_attachments import PNG, _ready

SECRET = "Nobody-may-read-this"
ANY = {"If-Match": "*"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A conversation full of what others wrote, and a key that may only write."""

    writer: Account
    conversation: str
    message: str
    attachment: str
    told: dict[str, Any]

    def asks(self) -> dict[str, TestResponse]:
        """Every route that a write-only key may call, so that it changes nothing or next to nothing."""
        ask, messages = self.writer.open, f"{self.conversation}/messages"
        item = {"content": "x", "direction": "incoming", "createdAt": "2020-01-01T00:00:00Z", "clientMessageId": "c"}
        person = f"{self.conversation}/participants"
        file = {"fileName": "a.png", "contentType": "image/png", "sizeBytes": 10}
        return {
            "conversations.create_conversation": ask("POST", "/conversations", json={"contactJid": "x"}),
            "conversations.change_conversation": ask("PATCH", self.conversation, json={"status": "open"}),
            "conversations.assign_conversation": ask("POST", f"{self.conversation}/assign", json={"agentId": None}),
            "participants.put_participant": ask("POST", person, json={"userId": self.told["member"], "role": "client"}),
            "participants.mark_read": ask("POST", f"{self.conversation}/read", json={"seq": 0}),
            "participants.tell_typing": ask("POST", f"{self.conversation}/typing", json={}),
            "messages.send_message": ask("POST", messages, json=self.told["sent"]),
            "messages.change_status": ask("PATCH", f"{self.message}/status", json={"status": "pending"}),
            "messages.edit_message": ask("PATCH", self.message, json={"content": "other"}, headers=ANY),
            "messages.delete_message": ask("DELETE", self.message),
            "imports.import_messages": ask("POST", f"{messages}:import", json={"messages": [item]}),
            "attachments.create_attachment": ask("POST", "/attachments", json=file),
            "attachments.confirm_attachment": ask("POST", f"/attachments/{self.attachment}/confirm"),
            "participants.remove_participant": ask("DELETE", f"{person}/{self.told['member']}"),
        }


@pytest.fixture
def scene(new_account: Callable[..., Account], conn: Any) -> Scene:
    owner = new_account()
    member = new_account(accounts=[owner.id])
    people = [{"userId": str(member.id), "role": "client"}]
    number = owner.make_conversation(contactName=SECRET, participants=people)
    sent: dict[str, Any] = {
        "content": f"{SECRET} {'x' * 50}",
        "clientMessageId": "c-1",
        "metadata": {"note": SECRET},
        "senderId": SECRET,
    }
    message = owner.send(number, **sent)
    writer = Account(id=owner.id, key=make_key(conn, owner.id, scopes=["chat:write"]), client=owner.client)
    return Scene(
        writer=writer,
        conversation=f"/conversations/{number}",
        message=f"/conversations/{number}/messages/{message['id']}",
        attachment=_ready(owner, PNG, "image/png"),
        told={"member": str(member.id), "sent": sent},
    )


def test_no_write_answers_what_others_wrote(app: Flask, scene: Scene) -> None:
    """On every route: ids, numbers, times, states; no words, names, metadata or files, also where nothing changes."""
    asked = scene.asks()
    writing = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if needs_key(rule.rule, rule.endpoint) and scope_of(rule.endpoint.partition(".")[0], method) is Scope.WRITE
    }
    assert set(asked) == writing
    for endpoint, answer in asked.items():
        assert 200 <= answer.status_code < 300, (endpoint, answer.text)
        for word in (SECRET, "contact@example.com", "a file.pdf"):
            assert word not in answer.text, (endpoint, answer.text)
            assert word not in str(answer.headers), endpoint
    assert set(data(asked["messages.send_message"])) == {
        "id", "conversationId", "seq", "eventId", "messageSeq", "version", "status", "clientMessageId", "createdAt",
        "updatedAt", "editedAt", "deletedAt",
    }  # fmt: skip
    assert set(data(asked["participants.mark_read"])) == {"id", "lastSeq", "status", "createdAt", "updatedAt"}
    assert data(asked["attachments.create_attachment"])["upload"]["url"]
    assert data(asked["imports.import_messages"])["results"][0]["status"] == "imported"


def test_a_kept_answer_is_a_receipt_as_well(scene: Scene) -> None:
    """Repeating with an Idempotency-Key or a clientMessageId answers what the first time did, and no more."""
    path, headers = f"{scene.conversation}/messages", {"Idempotency-Key": "one"}
    first = scene.writer.post(path, scene.told["sent"], headers=headers)
    again = scene.writer.post(path, scene.told["sent"], headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert data(first) == data(again)
    assert SECRET not in again.text
    problem(scene.writer.get(scene.message), 403, "scope_missing")


def test_who_may_read_is_shown_it_all(scene: Scene, conn: Any) -> None:
    """With both scopes a write answers the whole, as ever."""
    both = Account(id=scene.writer.id, key=make_key(conn, scene.writer.id), client=scene.writer.client)
    assert data(both.post(f"{scene.conversation}/read", {"seq": 0}))["contactName"] == SECRET
