"""A user whom the operator puts out, by `users forbid` and `users evict`, and what is left of them."""

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import DictRow

from gateway.app import create_app
from gateway.process.runtime import running
from gateway.settings import Settings
from ops.cli.main import main
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_key, make_user
from tests.integration.gateway.conftest import Account, problem
from tests.integration.legacy.clients import Clients
from tests.integration.legacy.conftest import (  # noqa: F401 - fixtures
    Room,
    bridge,
    clients,
    database_url,
    legacy_url,
    room,
)
from tests.integration.legacy.harness import SECRET, Bridge

# ruff: noqa: F811 - what is imported above is named as an argument below
TABLES = ("conversations", "conversation_participants", "chat_messages")
PROBE = "insert into realtime.messages (topic, extension, private) values (%s, 'broadcast', true)"
AGO_S = 10  # a token of before, so that no test has to wait for the next second


@pytest.fixture
def account(database_url: str, redis_url: str, room: Room) -> Iterator[Account]:
    """The room's owner, as a customer of a gateway that keeps lists."""
    settings = Settings.from_env({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SUPABASE_JWT_SECRET": SECRET})
    with running(create_app(settings)) as app:
        yield Account(id=room.owner, key=make_key(room.connection, room.owner), client=app.test_client())


def crossfade(database_url: str, *words: object) -> Any:
    result = CliRunner().invoke(
        main, ["users", *(str(word) for word in words), "--json"], env={"DATABASE_URL": database_url}
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def readable(conn: psycopg.Connection[DictRow], user: UUID, issued_at: float | None = None) -> set[tuple[str, int]]:
    """Return the tables in which a user's token finds rows, and in how many conversations."""
    found = set()
    claims = {"sub": str(user), "iat": int(time.time() if issued_at is None else issued_at)}
    with conn.transaction(force_rollback=True):
        conn.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
        conn.execute("set local role authenticated")
        for table in TABLES:
            key = "id" if table == "conversations" else "conversation_id"
            rows = conn.execute(f"select distinct {key} as key from {table}").fetchall()
            found |= {(table, row["key"]) for row in rows}
    return found


def may_join(conn: psycopg.Connection[DictRow], user: UUID, topic: str, issued_at: float) -> bool:
    """Ask the policies as Supabase Realtime does."""
    claims = {"sub": str(user), "iat": int(issued_at)}
    with conn.transaction(force_rollback=True):
        conn.execute(PROBE, (topic,))
        conn.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('request.jwt.claim.sub', %s, true),"
            " set_config('realtime.topic', %s, true)",
            (json.dumps(claims), str(user), topic),
        )
        conn.execute("set local role authenticated")
        return conn.execute("select from realtime.messages where topic = %s", (topic,)).fetchone() is not None


def test_a_forbidden_user_has_nothing_left(
    account: Account, bridge: Bridge, clients: Clients, room: Room, conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """No session, no row by the token, no place in the room, no write; with the event that tells the others."""
    append_message(conn, room.id, "secret")
    first = account.post("/realtime/sessions", {"userId": str(room.member)})
    assert first.status_code == 201, first.text
    client, other = clients.connect(bridge.url, room.member), clients.connect(bridge.url, room.owner)
    for each in (client, other):
        assert each.subscribe(room.id)["ok"]
    assert readable(conn, room.member) == {(table, room.id) for table in TABLES}
    before = room.last_seq
    answer = crossfade(database_url, "forbid", room.member, "--account", room.owner)
    assert answer["users"][0]["conversationsLeft"] == 1
    assert readable(conn, room.member) == set()
    problem(account.post("/realtime/sessions", {"userId": str(room.member)}), 404, "not_found")
    assert client.wait_event("error")["code"] == "evicted"
    client.wait("connect", times=2)
    assert client.subscribe(room.id)["error"]["code"] == "not_found"
    written = client.ask("message", {"conversationId": str(room.id), "content": "still here"})
    assert written["error"]["code"] == "not_found"
    assert client.ask("read", {"conversationId": str(room.id), "seq": 1})["error"]["code"] == "not_found"
    told = room.events(after_seq=before)
    assert [(event.type, event.participants) for event in told] == [("conversation.updated", (room.owner,))]
    bridge.deliver(told)
    assert other.wait_event("conversation")["seq"] == told[0].seq
    assert one(conn, "select count(*) as n from rollout_sessions where user_id = %(id)s", id=room.member)["n"] == 0


def test_a_list_that_a_backend_changed_counts_at_once(
    account: Account, bridge: Bridge, clients: Clients, room: Room, conn: psycopg.Connection[DictRow]
) -> None:
    """Whoever is taken off the list without our command takes part in rows only: nobody lets them in for it."""
    append_message(conn, room.id, "secret")
    client = clients.connect(bridge.url, room.member)
    conn.execute("update auth.users set raw_app_meta_data = '{\"chat_accounts\": []}' where id = %s", (room.member,))
    problem(account.post("/realtime/sessions", {"userId": str(room.member)}), 404, "not_found")
    assert readable(conn, room.member) == set()
    assert not may_join(conn, room.member, f"conversation:{room.id}", time.time())
    assert client.subscribe(room.id, after_seq=0)["error"]["code"] == "not_found"
    written = client.ask("message", {"conversationId": str(room.id), "content": "still here"})
    assert written["error"]["code"] == "not_found"
    assert readable(conn, room.owner) == {(table, room.id) for table in TABLES}


def test_another_account_keeps_its_user(
    account: Account, room: Room, conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """Who is forbidden in one account is in the other what they were."""
    del account
    elsewhere = make_conversation(conn, make_user(conn), room.member)
    crossfade(database_url, "forbid", room.member, "--account", room.owner)
    assert {key for _, key in readable(conn, room.member)} == {elsewhere}


def test_an_evicted_user_is_out_at_once(
    account: Account, bridge: Bridge, clients: Clients, room: Room, conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """Sockets close, tokens of before open nothing on either side, and the answer says what ends later, and when."""
    append_message(conn, room.id, "secret")
    session = account.post("/realtime/sessions", {"userId": str(room.member)}).get_json()["data"]
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id)
    evicted = crossfade(database_url, "evict", room.member)["evicted"]
    assert evicted[0]["channelsUntil"].startswith(session["expiresAt"].removesuffix("Z"))
    assert client.wait_event("error")["code"] == "evicted"
    assert client.wait("connect_error")["data"] == {"code": "evicted"}
    old, new = time.time() - AGO_S, time.time() + AGO_S
    topics = (f"conversation:{room.id}", f"presence:{room.id}", f"user:{room.member}:inbox")
    assert readable(conn, room.member, old) == set()
    assert [may_join(conn, room.member, topic, old) for topic in topics] == [False] * 3
    assert readable(conn, room.member, new) == {(table, room.id) for table in TABLES}
    assert [may_join(conn, room.member, topic, new) for topic in topics] == [True] * 3
    assert readable(conn, room.owner, old) == {(table, room.id) for table in TABLES}


def test_who_was_put_out_before_is_put_out_again(
    room: Room, conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """After an hour with a token of since then, which ends as the first one did."""
    append_message(conn, room.id, "secret")
    crossfade(database_url, "evict", room.member)
    conn.execute(
        "update chat_evictions set closed_at = closed_at - interval '1 h', ended_at = ended_at - interval '1 h'"
    )
    since = time.time() - AGO_S
    assert readable(conn, room.member, since) == {(table, room.id) for table in TABLES}
    crossfade(database_url, "evict", room.member)
    assert readable(conn, room.member, since) == set()


def test_an_evicted_token_is_refused_before_the_bridge_knows(
    bridge: Bridge, clients: Clients, room: Room, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every subscription and write asks the database, so the second in which a bridge has not looked yet is no gap."""
    monkeypatch.setattr(bridge.server._endings, "run_once", never)
    client = clients.connect(bridge.url, room.member)
    crossfade(database_url, "evict", room.member)
    assert client.subscribe(room.id)["error"]["code"] == "not_found"
    written = client.ask("message", {"conversationId": str(room.id), "content": "still here"})
    assert written["error"]["code"] == "not_found"


async def never() -> int:
    return 0
