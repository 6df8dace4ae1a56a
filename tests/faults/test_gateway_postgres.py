"""Postgres goes away and comes back: nobody gets in meanwhile, and nothing has to be restarted after."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from gateway.database import ANSWER_TIMEOUT_S
from migrations.upgrade import upgrade
from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from tests.conftest import one
from tests.factories import make_conversation, make_key, make_user
from tests.servers.gateway_server import GatewayServer, serve
from tests.waiting import wait_for

WORKERS = 2
PATH = "/api/v1/chat/conversations"


@pytest.fixture(scope="module")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A server of its own, durable, because it is killed here; outside pytest's directories, which are root's alone."""
    with tempfile.TemporaryDirectory(prefix="crossfade-tests-") as directory:
        server = EmbeddedPostgres(Path(directory) / "data")
        server.start()
        try:
            apply_shape(server.admin_url())
            upgrade(server.url())
            yield server
        finally:
            server.stop()


@pytest.fixture
def gateway(tmp_path: Path, postgres: EmbeddedPostgres, redis_url: str) -> Iterator[GatewayServer]:
    with serve(tmp_path, postgres.url(), redis_url) as server:
        server.wait_for("/readyz", 200)
        yield server


def _connect(postgres: EmbeddedPostgres) -> psycopg.Connection[DictRow]:
    return psycopg.connect(postgres.url(), autocommit=True, row_factory=dict_row)


def test_requests_are_503_without_postgres_and_heal_by_themselves(
    gateway: GatewayServer, postgres: EmbeddedPostgres
) -> None:
    """Fail closed, quickly and as a problem; afterwards every request succeeds with no worker restarted."""
    with _connect(postgres) as conn:
        account = make_user(conn)
        conversation = make_conversation(conn, account)
        key = make_key(conn, account)
    path = f"{PATH}/{conversation}/messages"
    assert gateway.request("POST", path, key, {"content": "before"})[0] == 201
    postgres.stop()
    gateway.wait_for("/readyz", 503)
    assert gateway.request("GET", "/livez")[0] == 200
    for _ in range(4):
        began = time.monotonic()
        status, document, headers = gateway.request("POST", path, key, {"content": "during"})
        assert (status, document["code"], headers["Retry-After"]) == (503, "service_unavailable", "1")
        assert headers["Content-Type"] == "application/problem+json"
        assert time.monotonic() - began < 5
    postgres.start()
    # Each worker finds out by itself, a fifth of a second after its last failure.
    wait_for(lambda: all(gateway.request("GET", "/readyz")[0] == 200 for _ in range(20)), "every worker's database")
    statuses = [gateway.request("POST", path, key, {"content": "after"})[0] for _ in range(40)]
    assert set(statuses) == {201}
    booted = [line for line in gateway.lines() if line["event"].startswith("Booting worker")]
    assert len(booted) == 2


def test_a_restart_between_requests_is_not_noticed(gateway: GatewayServer, postgres: EmbeddedPostgres) -> None:
    """Connections that died while they were idle are replaced before they are used."""
    with _connect(postgres) as conn:
        account = make_user(conn)
        conversation = make_conversation(conn, account)
        key = make_key(conn, account)
    path = f"{PATH}/{conversation}/messages"
    for number in range(30):
        assert gateway.request("POST", path, key, {"content": str(number)})[0] == 201
    with psycopg.connect(postgres.admin_url(), autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'crossfade%'")
    statuses = [gateway.request("POST", path, key, {"content": "after"})[0] for _ in range(30)]
    assert statuses == [201] * 30


def test_a_frozen_server_holds_nobody_for_ever(gateway: GatewayServer, postgres: EmbeddedPostgres) -> None:
    """Backends that are stopped, not dead, cannot time a statement out: the gateway does, and takes new ones."""
    with _connect(postgres) as conn:
        account = make_user(conn)
        conversation = make_conversation(conn, account)
        key = make_key(conn, account)
        path = f"{PATH}/{conversation}/messages"
        assert gateway.request("POST", path, key, {"content": "before"})[0] == 201
        backends = conn.execute("select pid from pg_stat_activity where application_name like 'crossfade%'").fetchall()
        for backend in backends:
            os.kill(backend["pid"], signal.SIGSTOP)
        try:
            began = time.monotonic()
            statuses = [gateway.request("POST", path, key, {"content": "during"})[0] for _ in range(4)]
            assert set(statuses) <= {201, 503}
            assert time.monotonic() - began < 2 * WORKERS * ANSWER_TIMEOUT_S
            assert gateway.request("GET", "/livez")[0] == 200
            assert gateway.request("POST", path, key, {"content": "after"})[0] == 201
        finally:
            for backend in backends:
                os.kill(backend["pid"], signal.SIGCONT)


def test_nothing_answered_is_lost_when_postgres_is_killed(gateway: GatewayServer, postgres: EmbeddedPostgres) -> None:
    """Senders that resend with their clientMessageId through a kill -9: each message once, numbers gapless."""
    with _connect(postgres) as conn:
        account = make_user(conn)
        conversation = make_conversation(conn, account)
        key = make_key(conn, account)
    path = f"{PATH}/{conversation}/messages"
    answered: dict[str, dict[str, object]] = {}
    errors: list[int] = []
    stop = threading.Event()

    def send(sender: int) -> None:
        number = 0
        while not stop.is_set():
            client_id = f"{sender}-{number}"
            body = {"content": client_id, "clientMessageId": client_id}
            status, document, _ = gateway.request("POST", path, key, body)
            if status == 201:
                answered[client_id] = document["data"]
                number += 1
            else:
                errors.append(status)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(6)]
    for thread in threads:
        thread.start()
    _until(lambda: len(answered) > 100)
    os.kill(postgres.pid, signal.SIGKILL)
    _until(lambda: postgres.poll() is not None)
    _until(lambda: bool(errors))
    postgres.start()
    count = len(answered)
    _until(lambda: len(answered) > count + 100)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert set(errors) == {503}
    with _connect(postgres) as conn:
        query = "select client_message_id, seq, id, event_id from chat_messages where conversation_id = %s order by seq"
        rows = conn.execute(query, (conversation,)).fetchall()
        events = one(conn, "select count(*) as n from chat_events where conversation_id = %(id)s", id=conversation)["n"]
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert events == len(rows)
    stored = {row["client_message_id"]: (row["id"], row["seq"], str(row["event_id"])) for row in rows}
    assert {c: (m["id"], m["seq"], m["eventId"]) for c, m in answered.items()}.items() <= stored.items()


def _until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
