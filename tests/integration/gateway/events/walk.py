"""What the walk of random actions is made of: a messenger, consumers with old copies, how one asks."""

import json
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from flask import Flask
from hypothesis.stateful import RuleBasedStateMachine
from psycopg.rows import DictRow

from realtime_bridge.event_log.event import Event
from realtime_bridge.shared.topics import inbox_topic
from realtime_bridge.supabase.sink import broadcasts_of
from tests.chat_state import ChatState
from tests.integration.gateway.conftest import WUZAPI_URL, Account, data
from tests.servers.wuzapi_server import HMAC_KEY, json_body, sign

WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
REFUSED = {404, 409, 412, 422}  # an action may come too late; then nothing must have happened
SILENT = frozenset(  # change no conversation; that they tell of nothing is checked where every route is walked
    {
        "attachments.create_attachment",
        "attachments.confirm_attachment",
        "channels.create_channel",
        "channels.change_channel",
        "channels.delete_channel",
        "account.change_account",
        "keys.create_key",
        "keys.rotate_key",
        "keys.revoke_key",
        "participants.tell_typing",
        "realtime_sessions.create_session",
        "webhooks.create_webhook",
        "webhooks.change_webhook",
        "webhooks.delete_webhook",
        "webhooks.pause_webhook",
        "webhooks.resume_webhook",
        "webhooks.enable_webhook",
        "webhooks.ping_webhook",
        "webhooks.test_webhook",
        "webhooks.rotate_secret",
        "webhooks.delete_secret",
        "webhooks.replay_delivery",
        "webhooks.retry_delivery",
        "webhooks.recover_webhook",
        "webhooks.retry_webhook",
    }
)


class Channel:
    """A messenger's webhook of an account."""

    def __init__(self, account: Account) -> None:
        channel = {"name": "whatsapp", "baseUrl": WUZAPI_URL, "token": "t", "hmacKey": HMAC_KEY}
        self.path = data(account.post("/channels", channel))["webhookPath"]
        self.client = account.client

    def tell(self, document: dict[str, Any]) -> None:
        body, content_type = json_body(document)
        headers = {"x-hmac-signature": sign(body), "Content-Type": content_type}
        answer = self.client.post(self.path, data=body, headers=headers)
        assert answer.status_code == 200, answer.text


class Consumer:
    """Somebody with an old copy who hears of changes."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.state = ChatState.fetch(self.get)
        self.cursor = self.get("/events?after=latest")["pagination"]["nextCursor"]

    def get(self, path: str) -> Any:
        answer = self.account.get(path)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def catch_up(self) -> None:
        has_more = True
        while has_more:
            page = self.get(f"/events?after={self.cursor}&limit=7")
            for event in page["data"]:
                self.state.apply(event["type"], event["data"], self.get)
            self.cursor, has_more = page["pagination"]["nextCursor"], page["pagination"]["hasMore"]

    def hear(self, heard: Iterable[tuple[str, dict[str, Any]]]) -> None:
        for kind, payload in heard:
            self.state.apply(kind, json.loads(json.dumps(payload)), self.get)


class Walk(RuleBasedStateMachine):
    """Set by the test: `app`, `conn` and `new_account`; by the walk's beginning: `callers`."""

    app: Flask
    conn: psycopg.Connection[DictRow]
    new_account: Callable[..., Account]
    callers: list[Account]

    def caller(self, number: int) -> Account:
        return self.callers[number % len(self.callers)]

    def ask(
        self,
        endpoint: str,
        caller: int,
        conversation: int | None,
        body: Any,
        *,
        message: int | None = None,
        user_id: UUID | None = None,
    ) -> Any:
        """Choose one of the caller's own conversations and messages, and ask; return the conversation."""
        account, ids = self.caller(caller), {} if user_id is None else {"user_id": user_id}
        if conversation is not None:
            query = "select id from conversations where user_id = %s order by id"
            ids["conversation_id"] = self.pick(conversation, query, account.id)
        if message is not None:
            query = "select id from chat_messages where conversation_id = %s order by id"
            ids["message_id"] = self.pick(message, query, ids["conversation_id"])
            if ids["message_id"] is None:
                return None
        sent = {} if body is None else {"json": deepcopy(body)}
        method, path = self.route(endpoint, ids)
        answer = account.open(method, path, headers={"If-Match": "*"}, **sent)
        assert answer.status_code in (200, 201) or answer.status_code in REFUSED, answer.text
        return ids.get("conversation_id")

    def pick(self, number: int, query: LiteralString, value: object) -> Any:
        found = [row["id"] for row in self.conn.execute(query, (value,))]
        return found[number % len(found)] if found else None

    def route(self, endpoint: str, ids: dict[str, Any]) -> tuple[str, str]:
        """Return the method and path of the view that changes something."""
        rules = self.app.url_map
        (method,) = {m for r in rules.iter_rules(endpoint) for m in r.methods or () if m in WRITING}
        return method, rules.bind("").build(endpoint, ids, method=method)

    def newest(self) -> int:
        row = self.conn.execute("select coalesce(max(id), 0) as id from chat_events").fetchone()
        return int(row["id"]) if row else 0

    def said_since(self, after: int) -> list[Event]:
        rows = self.conn.execute(
            "select id, event_id, account_id, conversation_id, seq, type, payload, origin, created_at from chat_events"
            " where id > %s order by id",
            (after,),
        ).fetchall()
        return [Event(**row, participants=(row["account_id"],)) for row in rows]


def inbox(events: list[Event], *, repeat: int) -> Iterable[tuple[str, dict[str, Any]]]:
    """What the account's own inbox is sent of these events."""
    for event in events:
        for broadcast in broadcasts_of(event):
            if broadcast.topic == inbox_topic(event.account_id):
                yield from [(broadcast.event, dict(broadcast.payload))] * repeat
