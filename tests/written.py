"""Every kind of event as its writer wrote it: what a reader's test begins with, and never a payload made up by hand.

A step is one thing that somebody does (over the API, on a legacy socket, on WhatsApp, or by waiting); its events are
the log's own rows, read by the statement that the relay reads with.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
from flask.testing import FlaskClient
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from gateway.app import create_app
from gateway.process.runtime import running
from gateway.settings import Settings
from realtime_bridge.event_log import reading
from realtime_bridge.event_log.cursor import Cursor
from realtime_bridge.event_log.event import Event
from realtime_bridge.legacy.incoming import StoredIncoming
from realtime_bridge.legacy.incoming import Written as SocketMessage
from realtime_bridge.shared import database
from tests.factories import claims_of, make_key, make_user
from tests.servers.wuzapi_server import HMAC_KEY, json_body, message, sign

API = "/api/v1/chat"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
HTML = "<b>hi</b> <img src=x onerror=alert(1)> & more"
WUZAPI_URL = "http://wuzapi.test:8080"
SETTINGS = {
    "CROSSFADE_SECRETS_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "CROSSFADE_WUZAPI_URLS": WUZAPI_URL,
    "CROSSFADE_STORAGE": "directory",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the steps left behind. `conversation_id` is the one in which nearly all of it happened."""

    database_url: str
    account_id: UUID
    agent_id: UUID
    client_id: UUID
    conversation_id: int
    attachment: dict[str, Any]
    steps: dict[str, tuple[Event, ...]]

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(event for events in self.steps.values() for event in events)

    def event(self, step: str, kind: str | None = None) -> Event:
        """Return the first event of a step, or the first of that type."""
        return next(event for event in self.steps[step] if kind in (None, event.type))

    def status(self, seq: int) -> Event:
        """Return a real `message.status` under another number: for tests of what does not look inside."""
        return replace(self.event("status delivered"), id=seq + 1_000_000, seq=seq)


@dataclass(slots=True, kw_only=True)
class Pen:
    """One writer of everything, and where it stands in the log."""

    connection: psycopg.Connection[DictRow]
    client: FlaskClient
    database_url: str
    account_id: UUID
    key: str
    steps: dict[str, tuple[Event, ...]] = field(default_factory=dict)
    mark: int = 0

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {} if body is None else {"json": body}
        answer = self.client.open(API + path, method=method, headers={"X-API-Key": self.key} | headers, **sent)
        assert answer.status_code < 300, answer.text
        return answer.get_json()["data"]

    def step(self, name: str, do: Callable[[], Any]) -> Any:
        """Do it, and note under `name` what the log says of it."""
        assert name not in self.steps
        done = do()
        events = asyncio.run(_read(self.database_url, self.mark))
        assert events, f"{name} left nothing in the log"
        self.steps[name], self.mark = events, events[-1].id
        return done


def write_everything(
    connection: psycopg.Connection[DictRow], database_url: str, redis_url: str, files: Path
) -> Written:
    """Write every kind of event into an empty database."""
    account = make_user(connection, "owner@example.com")
    agent = make_user(connection, "bea.agent@example.com", accounts=[account])
    client = make_user(connection, accounts=[account])
    connection.execute(
        """update auth.users set raw_user_meta_data = '{"full_name": " Ana Client "}' where id = %s""", (client,)
    )
    settings = SETTINGS | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "CROSSFADE_STORAGE_DIR": str(files),
    }
    with running(create_app(Settings.from_env(settings))) as app:
        pen = Pen(
            connection=connection,
            client=app.test_client(),
            database_url=database_url,
            account_id=account,
            key=make_key(connection, account),
        )
        conversation, attachment = _write(pen, agent, client)
    return Written(
        database_url=database_url,
        account_id=account,
        agent_id=agent,
        client_id=client,
        conversation_id=conversation,
        attachment=attachment,
        steps=pen.steps,
    )


def _write(pen: Pen, agent: UUID, client: UUID) -> tuple[int, dict[str, Any]]:
    people = [{"userId": str(agent), "role": "agent"}, {"userId": str(client), "role": "client"}]
    contact = {"contactJid": "5491155553934@s.whatsapp.net", "contactName": "Ana"}
    new = {**contact, "priority": "high", "participants": people}
    conversation = int(pen.step("created", lambda: pen.ask("POST", "/conversations", new))["id"])
    _write_messages(pen, conversation, agent)
    attachment = _write_attachments(pen, conversation)
    _write_conversation(pen, conversation, agent)
    _write_elsewhere(pen, conversation, client)
    return conversation, attachment


def _write_messages(pen: Pen, conversation: int, agent: UUID) -> None:
    messages = f"/conversations/{conversation}/messages"

    def send(name: str, **body: Any) -> dict[str, Any]:
        sent: dict[str, Any] = pen.step(name, lambda: pen.ask("POST", messages, body))
        return sent

    sent = send("sent", content=HTML, clientMessageId="c-1", metadata={"note": 1, "attachments": ["mine"]})
    received = send("received", content="Hello", direction="incoming", senderId="5491155553934")
    send("replied", content="Yes", replyToId=received["id"], senderId=str(agent))
    for status in ("sent", "delivered"):
        body = {"status": status, "providerMessageId": "wamid.1"}
        pen.step(f"status {status}", lambda body=body: pen.ask("PATCH", f"{messages}/{sent['id']}/status", body))  # type: ignore[misc]
    pen.step("read", lambda: pen.ask("PATCH", f"{messages}/{received['id']}/status", {"status": "read"}))
    edit = {"content": "<i>Hi</i>"}
    pen.step("edited", lambda: pen.ask("PATCH", f"{messages}/{sent['id']}", edit, **{"If-Match": "*"}))


def _write_attachments(pen: Pen, conversation: int) -> dict[str, Any]:
    messages = f"/conversations/{conversation}/messages"

    def ready(name: str) -> str:
        told = {"fileName": name, "contentType": "image/png", "sizeBytes": len(PNG)}
        announced = pen.ask("POST", "/attachments", told)
        how = announced["upload"]
        put = pen.client.open(urlsplit(how["url"]).path, method=how["method"], headers=how["headers"], data=PNG)
        assert put.status_code == 200, put.text
        pen.ask("POST", f"/attachments/{announced['id']}/confirm")
        return str(announced["id"])

    picture = {"content": "", "messageType": "image", "attachmentIds": [ready("one.png")]}
    shown = pen.step("picture", lambda: pen.ask("POST", messages, picture))
    captioned = {"content": "Look", "messageType": "document", "attachmentIds": [ready("two.png"), ready("three.png")]}
    sent = pen.step("documents", lambda: pen.ask("POST", messages, captioned))
    pen.step("deleted", lambda: pen.ask("DELETE", f"{messages}/{sent['id']}"))
    attachment: dict[str, Any] = shown["attachments"][0]
    return attachment


def _write_conversation(pen: Pen, conversation: int, agent: UUID) -> None:
    path = f"/conversations/{conversation}"
    changes = {"contactName": None, "status": "pending", "priority": "urgent"}
    pen.step("renamed", lambda: pen.ask("PATCH", path, changes))
    pen.step("assigned", lambda: pen.ask("POST", f"{path}/assign", {"agentId": str(agent)}))
    pen.step("let go", lambda: pen.ask("DELETE", f"{path}/participants/{agent}"))
    pen.step("let in", lambda: pen.ask("POST", f"{path}/participants", {"userId": str(agent), "role": "supervisor"}))
    newest = pen.ask("GET", path)["lastSeq"]
    pen.step("marked read", lambda: pen.ask("POST", f"{path}/read", {"seq": newest}))
    history = {"content": "Long ago", "createdAt": "2020-01-01T00:00:00Z", "direction": "incoming"}
    pen.step("imported", lambda: pen.ask("POST", f"{path}/messages:import", {"messages": [history]}))
    told = {"messages": [history | {"content": "Told"}], "announce": True}
    pen.step("announced", lambda: pen.ask("POST", f"{path}/messages:import", told))
    pen.ask("PATCH", path, {"status": "snoozed", "snoozedUntil": None})
    pen.connection.execute("update conversations set snoozed_until = now() where id = %s", (conversation,))
    pen.step("woken", lambda: pen.connection.execute("select crossfade.wake_conversations(10)"))


def _write_elsewhere(pen: Pen, conversation: int, client: UUID) -> None:
    """What other writers than the API write: old clients, a phone, and the sender that talks to it."""
    told = SocketMessage(
        conversation_id=conversation, content="From a socket", message_type="text", client_message_id="s-1"
    )
    pen.step("from a socket", lambda: asyncio.run(_append(pen.database_url, client, told)))
    channel = pen.ask(
        "POST", "/channels", {"name": "hotline", "baseUrl": WUZAPI_URL, "token": "t", "hmacKey": HMAC_KEY}
    )

    def tell() -> None:
        body, content_type = json_body(message("3EB01", "From a phone"))
        headers = {"x-hmac-signature": sign(body), "Content-Type": content_type}
        answer = pen.client.post(channel["webhookPath"], data=body, headers=headers)
        assert answer.status_code == 200, answer.text

    pen.step("from a phone", tell)
    talk = pen.steps["from a phone"][0].conversation_id
    sent = pen.step("to a phone", lambda: pen.ask("POST", f"/conversations/{talk}/messages", {"content": "Hi, Ana"}))
    fail = "select crossfade.append_provider_status(%s, 'failed', null, 'No such number.', 'wuzapi')"
    pen.step("failed", lambda: pen.connection.execute(fail, (sent["id"],)))


async def _append(database_url: str, user_id: UUID, told: SocketMessage) -> None:
    async with database.pool(database_url, name="written", size=1) as pool:
        await StoredIncoming(pool).append_message(claims_of(user_id), told)


async def _read(database_url: str, after: int) -> tuple[Event, ...]:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        page = await reading.read_page(connection, Cursor(high_water=after), 1_000)
    return page.events
