"""Nobody reaches another account's data, over any route, present or future."""

from collections.abc import Callable
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

from gateway.gates.api_key import OPEN_PATHS
from tests.integration.gateway.conftest import Account, problem

SECRET = "the secret of account A"
TABLES = ("conversations", "conversation_participants", "chat_messages", "chat_events")
# A body that the owner's own request would succeed with, for every route that takes one.
BODIES: dict[str, dict[str, Any]] = {
    "conversations.create_conversation": {"contactJid": "b@x"},
    "messages.send_message": {"content": "from B", "clientMessageId": "c1"},
    "messages.change_status": {"status": "read"},
}


@pytest.fixture
def victim(account: Account) -> Account:
    """Account A with a conversation, a message with a clientMessageId, and an event for each."""
    account.make_conversation(contactJid=SECRET, contactName=SECRET)
    account.send(1, SECRET, clientMessageId="c1", metadata={"k": SECRET})
    return account


def _state(conn: psycopg.Connection[DictRow], account_id: UUID) -> list[list[DictRow]]:
    """Everything that belongs to the account, row by row."""
    owned = "select id from conversations where user_id = %s"
    where = {
        "conversations": "user_id = %s",
        "conversation_participants": f"conversation_id in ({owned})",
        "chat_messages": f"conversation_id in ({owned})",
        "chat_events": "account_id = %s",
    }
    return [
        conn.execute(f"select * from {table} where {where[table]} order by 1, 2", (account_id,)).fetchall()
        for table in TABLES
    ]


def _requests(app: Flask) -> list[tuple[Rule, str]]:
    return [
        (rule, method)
        for rule in app.url_map.iter_rules()
        if rule.rule not in OPEN_PATHS
        if not rule.endpoint.startswith("webhooks.")  # the same walk, with its own rows, is in test_webhooks.py
        for method in sorted(rule.methods or ())
    ]


def _path(rule: Rule, conversation: int, message: int) -> str:
    path = rule.rule.replace("<row_id:conversation_id>", str(conversation)).replace("<row_id:message_id>", str(message))
    assert "<" not in path, f"say here how to fill in {rule.rule}"
    return path


def test_the_owner_reaches_every_route(app: Flask, victim: Account) -> None:
    """The other test means something only if the same requests succeed with A's own key."""
    for rule, method in _requests(app):
        body = {"json": BODIES[rule.endpoint]} if method not in ("GET", "HEAD") else {}
        if rule.endpoint == "messages.send_message":
            body["json"] = body["json"] | {"clientMessageId": f"mine-{method}"}
        answer = victim.open(method, _path(rule, 1, 1), **body)
        assert answer.status_code in (200, 201), (method, rule.rule, answer.text)


def test_no_route_shows_or_changes_anything_of_another_account(
    app: Flask, victim: Account, new_account: Callable[..., Account], conn: psycopg.Connection[DictRow]
) -> None:
    """With B's key every route with A's ids answers exactly as with ids that do not exist, and A's rows stay."""
    stranger = new_account()
    before = _state(conn, victim.id)
    for rule, method in _requests(app):
        body = {"json": BODIES[rule.endpoint]} if method not in ("GET", "HEAD") else {}
        headers = {"X-Request-Id": "fixed"}
        answer = stranger.open(method, _path(rule, 1, 1), headers=headers, **body)
        assert SECRET not in answer.text
        assert str(victim.id) not in answer.text
        if rule.arguments:
            unknown = stranger.open(method, _path(rule, 999_999, 999_999), headers=headers, **body)
            assert (answer.status_code, answer.data) == (unknown.status_code, unknown.data)
            assert answer.status_code == 404
            if method != "HEAD":
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
        answer = stranger.open(method, _path(rule, ids["conversation"], ids["message"]), **sent)
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
