"""The safe form of what people write: on every way out for an account that asked for it, on none for the others."""

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from gateway.app import create_app
from gateway.process.runtime import running
from gateway.settings import Settings
from ops.cli.main import main
from realtime_bridge.event_log import reading
from realtime_bridge.event_log.cursor import Cursor
from realtime_bridge.event_log.event import Event
from realtime_bridge.legacy.cards import StoredCards
from realtime_bridge.legacy.conversations import StoredConversations
from realtime_bridge.legacy.socketio.dialect import emits_of
from realtime_bridge.relay import parked
from realtime_bridge.relay.sink import Refusal
from realtime_bridge.shared import database
from realtime_bridge.shared.content_html import clean
from realtime_bridge.supabase.sink import broadcasts_of
from realtime_bridge.webhooks.queue.bodies import Bodies
from tests.factories import claims_of, make_conversation, make_key, make_user
from tests.waiting import wait_for
from tests.written import API, SETTINGS, Written, write_everything

HOSTILE = "<b>hi</b> <img src=x onerror=alert(1)>"
TEXTS = {"content": "contentHtml", "lastMessagePreview": "lastMessagePreviewHtml"}


def check(shown: Any, *, wanted: bool) -> int:
    """Hold everything that is shown, however deep, against the rule; return how many texts there were."""
    if isinstance(shown, list):
        return sum(check(one, wanted=wanted) for one in shown)
    if not isinstance(shown, dict):
        return 0
    found = 0
    for text, html in TEXTS.items():
        if text in shown:
            found += 1
            assert (html in shown) is wanted, shown
            assert not wanted or shown[html] == (None if shown[text] is None else clean(shown[text]))
    return found + sum(check(value, wanted=wanted) for name, value in shown.items() if name != "metadata")


@pytest.fixture
def scene(conn: psycopg.Connection[DictRow], database_url: str, redis_url: str, tmp_path: Path) -> Written:
    return write_everything(conn, database_url, f"{redis_url}?db=8", tmp_path)


@pytest.fixture
def client(scene: Written, redis_url: str, tmp_path: Path) -> Iterator[FlaskClient]:
    values = {"DATABASE_URL": scene.database_url, "REDIS_URL": f"{redis_url}?db=8"}
    settings = Settings.from_env(SETTINGS | values | {"CROSSFADE_STORAGE_DIR": str(tmp_path)})
    with running(create_app(settings)) as app:
        yield app.test_client()


def test_it_goes_wherever_content_goes(scene: Written, client: FlaskClient, conn: psycopg.Connection[DictRow]) -> None:
    """Over REST, catch-up, broadcasts, legacy frames, webhooks and what is replayed; and goes when told."""
    key = make_key(conn, scene.account_id)

    def ask(method: str, path: str, body: Any = None) -> Any:
        sent = {} if body is None else {"json": body}
        answer = client.open(API + path, method=method, headers={"X-API-Key": key, "If-Match": "*"}, **sent)
        assert answer.status_code < 300, answer.text
        return answer.get_json()["data"]

    assert ask("GET", "/account") == {"id": str(scene.account_id), "contentHtml": False, "updatedAt": None}
    for wanted in (False, True, False):
        told = ask("PATCH", "/account", {"contentHtml": wanted})
        assert told["contentHtml"] is wanted
        wait_for(partial(_is, ask, wanted), "the choice")
        texts = check(asyncio.run(_bridge(scene)), wanted=wanted)
        assert texts > 100
        assert check(_rest(ask, scene), wanted=wanted) > 50


def _is(ask: Any, wanted: bool) -> bool:
    return ("lastMessagePreviewHtml" in ask("GET", "/conversations")[0]) is wanted


def _rest(ask: Any, scene: Written) -> list[Any]:
    path = f"/conversations/{scene.conversation_id}"
    sent = ask("POST", f"{path}/messages", {"content": HOSTILE})
    message = f"{path}/messages/{sent['id']}"
    return [
        sent,
        ask("PATCH", message, {"content": f"{HOSTILE} more"}),
        ask("PATCH", f"{message}/status", {"status": "sent"}),
        ask("GET", message),
        ask("GET", f"{message}?include=contentHtml") if "contentHtml" in sent else [],
        ask("GET", f"{message}/versions"),
        ask("GET", f"{path}/messages"),
        ask("GET", "/messages/search?q=hi"),
        ask("GET", "/events?limit=500"),
        ask("GET", path),
        ask("PATCH", path, {"contactName": "Eve"}),
        ask("DELETE", message),
    ]


async def _bridge(scene: Written) -> list[Any]:
    """Everything that the bridge makes of the log for its sides."""
    async with (
        database.pool(scene.database_url, name="test", size=2) as pool,
        await AsyncConnection.connect(scene.database_url, autocommit=True) as connection,
    ):
        events = (await reading.read_page(connection, Cursor(high_water=0), 1_000)).events
        cards = await StoredCards(pool).read_cards(event.conversation_id for event in events)
        caught_up = await StoredConversations(pool).read_events(
            scene.conversation_id, claims_of(scene.client_id), 0, 500
        )
        bodies = await Bodies().load(connection, [(event.id, event.created_at) for event in events])
        replayed = await _replayed(connection, events[:3])
        shown: list[Any] = [json.loads(body) for body in bodies.values()]
        for event in (*events, *caught_up, *replayed):
            shown += [broadcast.payload for broadcast in broadcasts_of(event)]
            shown += [emit.data for emit in emits_of(event, cards[event.conversation_id])]
        return shown


async def _replayed(connection: AsyncConnection[Any], events: tuple[Event, ...]) -> tuple[Event, ...]:
    await parked.park(connection, "legacy", [Refusal(event=event, reason="test") for event in events])
    await connection.execute("update parked_events set replay_requested_at = now()")
    return await parked.take_requested(connection, "legacy", 10)


def test_the_command_changes_it(conn: psycopg.Connection[DictRow], database_url: str) -> None:
    """`crossfade accounts set` is `PATCH /account`; an account that is none is told as such."""
    account = make_user(conn)
    make_conversation(conn, account)

    def crossfade(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["accounts", *words], env={"DATABASE_URL": database_url})
        return result.exit_code, result.output

    code, output = crossfade("show", str(account), "--json")
    assert (code, json.loads(output)) == (0, {"id": str(account), "contentHtml": False, "updatedAt": None})
    code, output = crossfade("set", str(account), "--content-html", "on")
    assert (code, "with its safe HTML form" in output) == (0, True)
    assert json.loads(crossfade("show", str(account), "--json")[1])["contentHtml"] is True
    code, output = crossfade("set", "00000000-0000-4000-8000-000000000000", "--content-html", "on")
    assert (code, "There is no user" in output) == (1, True)
