"""Nobody reaches another account's data, over any route, present or future."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from psycopg.rows import DictRow
from werkzeug.routing import Rule

from gateway.gates.api_key import needs_key
from tests.integration.gateway.conftest import WUZAPI_URL, Account, problem
from tests.integration.gateway.events.walk import SILENT, WRITING

SECRET = "the secret of account A"
CHANNEL = "a0000000-0000-4000-8000-000000000001"
NO_CHANNEL = "a0000000-0000-4000-8000-000000000002"
CHANNEL_BODY = {"name": "b", "baseUrl": WUZAPI_URL, "token": "t"}
PERSON = "b0000000-0000-4000-8000-000000000001"
NOBODY = "b0000000-0000-4000-8000-000000000002"
FILE = "c0000000-0000-4000-8000-000000000001"
NO_FILE = "c0000000-0000-4000-8000-000000000002"
ANY_VERSION = {"If-Match": "*"}
TABLES = (
    "chat_account_settings",
    "conversations",
    "conversation_participants",
    "chat_messages",
    "chat_message_versions",
    "chat_attachments",
    "chat_events",
    "chat_channels",
    "chat_api_keys",
    "chat_external_webhooks",
    "webhook_secrets",
    "webhook_queues",
    "webhook_deliveries",
)
# A body that the owner's own request would succeed with, for every route that takes one.
BODIES: dict[str, dict[str, Any]] = {
    "conversations.create_conversation": {"contactJid": "b@x"},
    "messages.send_message": {"content": "from B", "clientMessageId": "c1"},
    "messages.change_status": {"status": "read"},
    "messages.edit_message": {"content": "from B"},
    "messages.delete_message": {},
    "imports.import_messages": {
        "messages": [{"content": "from B", "direction": "incoming", "createdAt": "2020-01-01T00:00:00Z"}]
    },
    "conversations.change_conversation": {"contactName": "from B"},
    "conversations.assign_conversation": {"botId": "from B"},
    "participants.put_participant": {"userId": PERSON, "role": "agent"},
    "participants.remove_participant": {},
    "participants.mark_read": {"seq": 1},
    "participants.tell_typing": {},
    "attachments.create_attachment": {"fileName": "b.pdf", "contentType": "application/pdf", "sizeBytes": 9},
    "attachments.confirm_attachment": {},
    "channels.create_channel": CHANNEL_BODY,
    "channels.change_channel": {"enabled": True},
    "channels.delete_channel": {},
    "account.change_account": {"contentHtml": True},
    "keys.create_key": {"name": "from B", "scopes": ["chat:read"]},
    "keys.rotate_key": {},
    "keys.revoke_key": {},
    "realtime_sessions.create_session": {"userId": PERSON},
    "webhooks.create_webhook": {"url": "https://example.com/b"},
    "webhooks.change_webhook": {"description": "from B"},
    "webhooks.delete_webhook": {},
    "webhooks.pause_webhook": {},
    "webhooks.resume_webhook": {},
    "webhooks.enable_webhook": {},
    "webhooks.ping_webhook": {},
    "webhooks.test_webhook": {},
    "webhooks.rotate_secret": {},
    "webhooks.delete_secret": {},
    "webhooks.replay_delivery": {},
    "webhooks.retry_delivery": {},
    "webhooks.retry_webhook": {},
    "webhooks.recover_webhook": {"since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()},
}
NAMED_IN_BODY = {"realtime_sessions.create_session"}  # whose body, not path, says whom it is about


@pytest.fixture
def victim(account: Account, conn: psycopg.Connection[DictRow]) -> Account:
    """Account A with a conversation, a message with a clientMessageId, events, a channel, a file and two webhooks."""
    conn.execute(
        "insert into auth.users (id, email, raw_app_meta_data)"
        " values (%s, 'person@example.com', jsonb_build_object('chat_accounts', %s::text))",
        (PERSON, str(account.id)),
    )
    conn.execute(
        "insert into chat_attachments (id, account_id, file_name, content_type, size_bytes, storage_key, state)"
        " values (%s, %s, %s, 'application/pdf', 9, 'a/b', 'ready')",
        (FILE, account.id, SECRET),
    )
    conn.execute(
        "insert into chat_api_keys (id, user_id, name, env, prefix, secret_hash, scopes)"
        " select 'k' || n, %s, %s, 'test', 'x', sha256(n::text::bytea), '{chat:read}' from generate_series(1, 2) n",
        (account.id, SECRET),
    )
    account.make_conversation(contactJid=SECRET, contactName=SECRET, participants=[{"userId": PERSON}])
    account.send(1, SECRET, clientMessageId="c1", metadata={"k": SECRET})
    account.post("/channels", CHANNEL_BODY | {"name": "a", "providerUserId": SECRET})
    conn.execute("update chat_channels set id = %s", (CHANNEL,))
    for _ in range(2):
        account.post("/webhooks", {"url": "https://example.com/a", "description": SECRET})
    return account


def _state(conn: psycopg.Connection[DictRow], account_id: UUID) -> list[list[DictRow]]:
    """Everything that belongs to the account, row by row."""
    owned = "select id from conversations where user_id = %s"
    webhooks = "select id from chat_external_webhooks where account_id = %s"
    where = {
        "chat_account_settings": "account_id = %s",
        "conversations": "user_id = %s",
        "conversation_participants": f"conversation_id in ({owned})",
        "chat_messages": f"conversation_id in ({owned})",
        "chat_message_versions": f"message_id in (select id from chat_messages where conversation_id in ({owned}))",
        "chat_attachments": "account_id = %s",
        "chat_events": "account_id = %s",
        "chat_channels": "user_id = %s",
        "chat_api_keys": "user_id = %s and id in ('k1', 'k2')",
        "chat_external_webhooks": "account_id = %s",
        "webhook_secrets": f"webhook_id in ({webhooks})",
        "webhook_queues": f"webhook_id in ({webhooks})",
        "webhook_deliveries": "account_id = %s",
    }
    return [
        conn.execute(f"select t::text from {table} t where {where[table]} order by 1", (account_id,)).fetchall()
        for table in TABLES
    ]


def _requests(app: Flask) -> list[tuple[Rule, str]]:
    return [
        (rule, method)
        for rule in app.url_map.iter_rules()
        if needs_key(rule.rule, rule.endpoint)
        for method in sorted(rule.methods or ())
    ]


def _path(rule: Rule, conversation: int, message: int) -> str:
    path = rule.rule.replace("<row_id:conversation_id>", str(conversation)).replace("<row_id:message_id>", str(message))
    path = path.replace("<uuid:channel_id>", CHANNEL if conversation == 1 else NO_CHANNEL)
    path = path.replace("<uuid:user_id>", PERSON if conversation == 1 else NOBODY)
    path = path.replace("<uuid:attachment_id>", FILE if conversation == 1 else NO_FILE)
    key = "k2" if rule.endpoint == "keys.rotate_key" else "k1"  # what was revoked cannot be rotated
    path = path.replace("<key_id:key_id>", key if conversation == 1 else "k3")
    webhook = 2 if rule.endpoint == "webhooks.delete_webhook" and conversation == 1 else conversation
    path = path.replace("<row_id:webhook_id>", str(webhook)).replace("<row_id:secret_id>", str(message))
    path = path.replace("<row_id:delivery_id>", str(message))
    assert "<" not in path, f"say here how to fill in {rule.rule}"
    return f"{path}?q=secret" if rule.endpoint == "messages.search_messages" else path


def test_the_owner_reaches_every_route(app: Flask, victim: Account, conn: psycopg.Connection[DictRow]) -> None:
    """The other test means something only if the same requests succeed with A's own key; and SILENT is what it says."""
    for rule, method in _requests(app):
        body = {"json": BODIES[rule.endpoint]} if method not in ("GET", "HEAD") else {}
        if rule.endpoint == "messages.send_message":
            body["json"] = body["json"] | {"clientMessageId": f"mine-{method}"}
        before = _state(conn, victim.id)[TABLES.index("chat_events")]
        answer = victim.open(method, _path(rule, 1, 1), headers=ANY_VERSION, **body)
        assert answer.status_code in (200, 201, 202, 204), (method, rule.rule, answer.text)
        if method not in WRITING or rule.endpoint in SILENT:
            assert _state(conn, victim.id)[TABLES.index("chat_events")] == before, rule.endpoint


def test_no_route_shows_or_changes_anything_of_another_account(
    app: Flask, victim: Account, new_account: Callable[..., Account], conn: psycopg.Connection[DictRow]
) -> None:
    """With B's key every route with A's ids answers exactly as with ids that do not exist, and A's rows stay."""
    stranger = new_account()
    before = _state(conn, victim.id)
    for rule, method in _requests(app):
        body = {"json": BODIES[rule.endpoint]} if method not in ("GET", "HEAD") else {}
        headers = ANY_VERSION | {"X-Request-Id": "fixed"}
        answer = stranger.open(method, _path(rule, 1, 1), headers=headers, **body)
        assert SECRET not in answer.text
        assert str(victim.id) not in answer.text
        if rule.arguments:
            unknown = stranger.open(method, _path(rule, 999_999, 999_999), headers=headers, **body)
            assert (answer.status_code, answer.data) == (unknown.status_code, unknown.data)
            assert answer.status_code == 404
            if method != "HEAD":
                problem(answer, 404, "not_found")
        if rule.endpoint in NAMED_IN_BODY:
            problem(answer, 404, "not_found")
    assert _state(conn, victim.id) == before


@limits(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_sequence_of_requests_crosses_over(
    data: st.DataObject,
    app: Flask,
    victim: Account,
    new_account: Callable[..., Account],
    conn: psycopg.Connection[DictRow],
) -> None:
    """Whatever B does with its own rows and A's ids mixed, A's rows stay as they are and are never shown."""
    stranger = new_account()
    mine = stranger.make_conversation()
    message = stranger.send(mine)["id"]
    before = _state(conn, victim.id)
    steps = data.draw(st.lists(st.sampled_from(_requests(app)), min_size=1, max_size=6))
    for rule, method in steps:
        ids = {name: data.draw(st.sampled_from([1, mine, message]), label=name) for name in ("conversation", "message")}
        body = dict(BODIES.get(rule.endpoint, {}))
        if rule.endpoint == "messages.send_message" and data.draw(st.booleans()):
            body["replyToId"] = 1
        if rule.endpoint == "conversations.create_conversation" and data.draw(st.booleans()):
            body["participants"] = [{"userId": str(victim.id), "role": "agent"}]
        sent = {"json": body} if method not in ("GET", "HEAD") else {}
        path = _path(rule, ids["conversation"], ids["message"])
        answer = stranger.open(method, path, headers=ANY_VERSION, **sent)
        assert answer.status_code < 500
        assert SECRET not in answer.text
    assert _state(conn, victim.id) == before


def test_a_cursor_or_filter_of_another_account_shows_nothing(
    victim: Account, new_account: Callable[..., Account]
) -> None:
    """A's cursor is refused, and filters only narrow B's own list."""
    victim.make_conversation(assignedAgentId=str(victim.id))
    cursor = victim.get("/conversations?limit=1").get_json()["pagination"]["nextCursor"]
    stranger = new_account()
    assert stranger.get(f"/conversations?limit=1&cursor={cursor}").status_code == 422
    assert stranger.get(f"/conversations?assignedTo={victim.id}").get_json()["data"] == []
