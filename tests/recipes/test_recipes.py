"""A new file and a line in one list: what the recipes add works in real processes, and nothing else was touched."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.factories import append_message, make_conversation, make_user
from tests.faults.bridge_process import BridgeProcess
from tests.integration.legacy.clients import Clients
from tests.integration.legacy.conftest import clients, make_room, redis  # noqa: F401 - fixtures
from tests.integration.legacy.harness import token
from tests.integration.legacy.redis_server import RedisServer
from tests.recipes.checkout import Checkout
from tests.waiting import wait_for


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "tree")


def crossfade(checkout: Checkout, database_url: str, *words: str) -> Any:
    """Run a command of the changed tree; return its JSON."""
    command = [sys.executable, "-m", "ops.cli.main", *words, "--json"]
    environment = {**os.environ, "DATABASE_URL": database_url}
    done = subprocess.run(command, cwd=checkout.directory, env=environment, capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


def told(conn: psycopg.Connection[DictRow]) -> list[str]:
    rows = conn.execute("select event_id, type from chat_events order by id").fetchall()
    return [f"{row['event_id']} {row['type']}" for row in rows]


def test_a_sink_is_a_file_and_a_line(
    conn: psycopg.Connection[DictRow],
    database_url: str,
    redis: RedisServer,  # noqa: F811
    checkout: Checkout,
    tmp_path: Path,
) -> None:
    """It hears every event of the log once and in order, also those of the time when no bridge ran, and is listed."""
    conversation = make_conversation(conn, make_user(conn))
    checkout.follow("A sink")
    bridge = BridgeProcess(database_url, tmp_path / "log", checkout.directory, REDIS_URL=redis.url)
    with bridge, redis.client() as queue:

        def heard() -> list[str]:
            return [f"{said[b'id'].decode()} {said[b'type'].decode()}" for _, said in queue.xrange("trial")]

        for round_ in range(3):
            append_message(conn, conversation, f"in round {round_}")
            wait_for(lambda: heard() == told(conn), "the sink to hear everything")
        bridge.end(signal.SIGTERM)
        append_message(conn, conversation, "while nobody delivers")
        bridge.start()
        wait_for(lambda: len(heard()) == 4, "the sink to hear what it missed")
        assert heard() == told(conn)
        row = next(row for row in crossfade(checkout, database_url, "relay", "status") if row["sink"] == "trial")
        assert (row["deliveredCount"], row["lastError"]) == (4, None)
    assert crossfade(checkout, database_url, "relay", "parked", "--sink", "trial") == []


def test_a_dialect_is_a_file_and_a_line(
    conn: psycopg.Connection[DictRow],
    database_url: str,
    redis: RedisServer,  # noqa: F811
    clients: Clients,  # noqa: F811
    checkout: Checkout,
    tmp_path: Path,
) -> None:
    """Its clients write and hear in its words, over two bridges, while everybody else hears what they always heard."""
    checkout.follow("A dialect")
    room = make_room(conn)

    def bridge(name: str) -> BridgeProcess:
        log = tmp_path / f"{name}.log"
        return BridgeProcess(database_url, log, checkout.directory, REDIS_URL=redis.url)

    def trial(url: str, user: UUID, missed_after: int) -> Any:
        client = clients.open(url, {"token": token(user)}, path="/trial")
        client.wait("connect")
        assert client.ask("join", str(room.id), {"afterSeq": missed_after})["ok"]
        return client

    room.append("before anybody came")
    with bridge("near") as near:
        far = bridge("far").start("standby")
        try:
            ours, theirs = trial(near.url, room.member, 0), trial(far.url, room.owner, 1)
            old = clients.connect(far.url, room.member)
            old.subscribe(room.id)
            assert theirs.ask("say", str(room.id), "Hello")["seq"] == 2
            assert old.wait_event("message")["content"] == "Hello"
            assert theirs.wait_event("line") == f"{room.id}: Hello"
            assert ours.wait_event("line", times=2) == f"{room.id}: Hello"
            assert ours.received("line")[0] == f"{room.id}: before anybody came"
            old.ask("typing", {"conversationId": str(room.id), "isTyping": True})
            assert theirs.wait_event("writes") == str(room.member)
            assert ours.ask("shout", "!")["error"]["code"] == "unknown_event"
            assert ours.wait_event("refused") == "unknown_event"
            words = {line["event"] for client in (ours, theirs) for line in client.lines if line["is"] == "event"}
            assert words == {"line", "writes", "refused"}
            assert not {line["event"] for line in old.lines if line["is"] == "event"} & words
        finally:
            far.end()
