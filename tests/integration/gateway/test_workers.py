"""What must hold over several worker processes, and on the wire."""

import contextlib
import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg.rows import DictRow, dict_row

from gateway.domain import key_text
from gateway.process import metrics_files
from tests.conftest import one
from tests.factories import make_conversation, make_key, make_user
from tests.integration.gateway.test_races import at_once
from tests.servers.gateway_server import ROOT, GatewayServer, serve

LIST = "/api/v1/chat/conversations"
WORKERS = 3


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, gateway_url: str, limits_url: str) -> Iterator[GatewayServer]:
    directory = tmp_path_factory.mktemp("gateway")
    with serve(directory, gateway_url, limits_url, CROSSFADE_GATEWAY_WORKERS=str(WORKERS)) as server:
        server.wait_for("/readyz", 200)
        yield server


@pytest.fixture(autouse=True)
def _no_limits_used_up(limits_url: str) -> None:
    with redis.Redis.from_url(limits_url) as client:
        client.flushdb()


def _workers(server: GatewayServer, status: int, key: str) -> set[int]:
    """The worker processes that answered requests of this key with this status, from the log."""
    key_id = key_text.parse(key).id
    lines = [line for line in server.lines() if line["event"] == "request" and line["status"] == status]
    return {line["worker"] for line in lines if line["key_id"] == key_id or status == 401}


def _until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline


def _warm(server: GatewayServer, key: str) -> None:
    """Ask until every worker has answered with this key."""

    def ask() -> bool:
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda _: server.request("GET", LIST, key)[0], range(24))) == {200}
        return len(_workers(server, 200, key)) == WORKERS

    _until(ask)


@pytest.mark.parametrize("notified", [True, False])
def test_a_revoked_key_stops_working_in_every_worker_within_a_second(
    gateway: GatewayServer, conn: psycopg.Connection[DictRow], *, notified: bool
) -> None:
    """While clients hammer all workers; also when no notification arrives, because the poll is the truth."""
    key = make_key(conn, make_user(conn))
    _warm(gateway, key)
    if not notified:
        conn.execute("alter table chat_api_keys disable trigger announce_api_key")
    asked: list[tuple[float, int]] = []
    stop = threading.Event()

    def hammer() -> None:
        while not stop.is_set():
            began = time.monotonic()
            asked.append((began, gateway.request("GET", LIST, key)[0]))

    try:
        with ThreadPoolExecutor(6) as pool:
            running = [pool.submit(hammer) for _ in range(6)]
            _until(lambda: len(asked) > 60)
            conn.execute("update chat_api_keys set revoked_at = now() where id = %s", (key_text.parse(key).id,))
            revoked_at = time.monotonic()
            _until(lambda: time.monotonic() > revoked_at + 2.0)
            stop.set()
            for thread in running:
                thread.result(20)
    finally:
        stop.set()
        conn.execute("alter table chat_api_keys enable trigger announce_api_key")
    late = [began - revoked_at for began, status in asked if status == 200 and began > revoked_at]
    assert max(late, default=0.0) < 1.0
    assert {status for began, status in asked if began > revoked_at + 1.0} == {401}
    assert {status for _, status in asked} == {200, 401}
    assert len(_workers(gateway, 401, key)) == WORKERS


def test_a_changed_scope_reaches_every_worker(gateway: GatewayServer, conn: psycopg.Connection[DictRow]) -> None:
    """What is true of revoking is true of scopes: a second later no worker lets the key read."""
    key = make_key(conn, make_user(conn))
    _warm(gateway, key)
    conn.execute("update chat_api_keys set scopes = '{chat:write}' where id = %s", (key_text.parse(key).id,))
    changed_at = time.monotonic()
    _until(lambda: time.monotonic() > changed_at + 1.0)
    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(lambda _: gateway.request("GET", LIST, key)[0], range(60)))
    assert statuses == {403}
    assert len(_workers(gateway, 403, key)) == WORKERS


def test_limits_are_exact_over_workers(gateway: GatewayServer, conn: psycopg.Connection[DictRow]) -> None:
    """Of 120 requests at once exactly the 50 allowed succeed, and of 60 messages exactly 20, whoever answers."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)
    reader, sender = make_key(conn, account, rate_limit=50), make_key(conn, account, send_rate_limit=20)
    with ThreadPoolExecutor(12) as pool:
        read = list(pool.map(lambda _: gateway.request("GET", LIST, reader)[0], range(120)))
        path = f"{LIST}/{conversation}/messages"
        sent = list(pool.map(lambda n: gateway.request("POST", path, sender, {"content": str(n)})[0], range(60)))
    assert (read.count(200), read.count(429)) == (50, 70)
    assert (sent.count(201), sent.count(429)) == (20, 40)
    assert len(_workers(gateway, 200, reader)) > 1
    assert one(conn, "select count(*) as n from chat_messages")["n"] == 20


@pytest.mark.parametrize("name", ["clientMessageId", "Idempotency-Key"])
def test_resends_over_workers_are_one_message(
    gateway: GatewayServer, conn: psycopg.Connection[DictRow], name: str
) -> None:
    """Fifty at once with the same name, by whichever worker: one row, one event, one answer."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)
    key = make_key(conn, account)
    _warm(gateway, key)
    body, headers = {"content": "once"}, {}
    if name == "clientMessageId":
        body[name] = "c"
    else:
        headers[name] = "k"
    path = f"{LIST}/{conversation}/messages"

    def send(_: int) -> str:
        """Return the answer; whoever comes while the first is under way comes again."""
        while (answer := gateway.request("POST", path, key, body, headers))[0] == 409:
            assert answer[1]["code"] == "idempotency_in_flight"
        assert answer[0] == 201, answer
        return json.dumps(answer[1], sort_keys=True)

    assert len(set(at_once(50, send))) == 1
    assert len(_workers(gateway, 201, key)) > 1
    assert one(conn, "select count(*) as n from chat_messages")["n"] == 1
    assert one(conn, "select count(*) as n from chat_events")["n"] == 1


def test_last_use_is_written_down_without_costing_a_request(
    tmp_path: Path, database_url: str, limits_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """At the latest when the worker leaves."""
    key = make_key(conn, make_user(conn))
    with serve(tmp_path, database_url, limits_url) as server:
        assert server.request("GET", LIST, key)[0] == 200
        assert one(conn, "select last_used_at from chat_api_keys")["last_used_at"] is None
    assert one(conn, "select now() - last_used_at < interval '1 minute' as fresh from chat_api_keys")["fresh"]


def test_the_log_is_structured_and_holds_no_key(gateway: GatewayServer, conn: psycopg.Connection[DictRow]) -> None:
    """One JSON line per request with id, route, status, time and key id; the trace id when there is one."""
    key = make_key(conn, make_user(conn))
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"X-Request-Id": "req-1", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    gateway.request("GET", f"{LIST}?nonsense={key}", key, headers=headers)
    _until(lambda: any(line.get("request_id") == "req-1" for line in gateway.lines()))
    (line,) = [line for line in gateway.lines() if line.get("request_id") == "req-1"]
    assert (line["process"], line["status"], line["route"], line["method"]) == ("gateway", 422, LIST, "GET")
    assert (line["key_id"], line["code"]) == (key_text.parse(key).id, "validation_failed")
    assert line["trace_id"] == trace
    assert line["duration_ms"] >= 0
    assert key not in gateway.log.read_text()


def test_a_chunked_body_is_stopped_at_the_limit(gateway: GatewayServer, conn: psycopg.Connection[DictRow]) -> None:
    """Without a Content-Length the body is counted while it is read: 413."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)
    key = make_key(conn, account)
    head = (
        f"POST {LIST}/{conversation}/messages HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    small = b'{"content": "chunked"}'
    large = b'{"content": "' + b"x" * 70_000 + b'"}'
    for body, status in ((small, b"201"), (large, b"413")):
        chunks = [body[at : at + 4096] for at in range(0, len(body), 4096)]
        framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
            connection.sendall(head.encode() + framed)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 " + status), answer
        assert (b"application/problem+json" in answer) is (status == b"413")


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"-2\r\n{}\r\n0\r\n\r\n",
        b"\r\n{}\r\n0\r\n\r\n",
        b"2;a\rb\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}}}0\r\n\r\n",
        b"2\r\n{}\r\n0\r\nNot a trailer\r\n\r\n",
        b"2;" + b"x" * 9_000,
    ],
)
def test_a_broken_chunk_is_the_clients_fault(
    gateway: GatewayServer, conn: psycopg.Connection[DictRow], body: bytes
) -> None:
    """400 and the end of the connection, since nobody knows where a next request would begin; no traceback."""
    key = make_key(conn, make_user(conn))
    head = f"POST {LIST} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + body)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert b"\r\nConnection: close\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "bad_request"
    assert not [line for line in gateway.lines() if line["event"] == "request_failed"]


def test_requests_in_pieces_and_in_one_piece_are_answered_in_turn(
    gateway: GatewayServer, conn: psycopg.Connection[DictRow]
) -> None:
    """Three at once on one connection, then one byte by byte on the same one: four answers, in order."""
    account = make_user(conn)
    key, conversation = make_key(conn, account), make_conversation(conn, account)
    path = f"{LIST}/{conversation}/messages"

    def post(content: str, connection: str = "keep-alive") -> bytes:
        body = json.dumps({"content": content}).encode()
        lines = (f"POST {path} HTTP/1.1", "Host: x", f"X-API-Key: {key}", f"Connection: {connection}")
        head = "\r\n".join((*lines, "Content-Type: application/json", f"Content-Length: {len(body)}", "", ""))
        return head.encode() + body

    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(post("one") + post("two") + post("three"))
        for byte in post("four", "close"):
            connection.sendall(bytes([byte]))
        answers = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answers.count(b"HTTP/1.1 201 ") == 4
    stored = conn.execute("select content from chat_messages order by seq").fetchall()
    assert [row["content"] for row in stored] == ["one", "two", "three", "four"]


def test_a_body_that_waits_for_our_word_is_taken(gateway: GatewayServer, conn: psycopg.Connection[DictRow]) -> None:
    """`Expect: 100-continue`, as curl sends it with large bodies: 100 first, then the answer."""
    account = make_user(conn)
    key, conversation = make_key(conn, account), make_conversation(conn, account)
    body = json.dumps({"content": "expected"}).encode()
    head = (
        f"POST {LIST}/{conversation}/messages HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(12) == b"HTTP/1.1 201"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"431"),
    ],
)
def test_what_is_not_http_is_refused_as_a_problem_too(gateway: GatewayServer, raw: bytes, status: bytes) -> None:
    """Gunicorn's own refusals look like everybody else's."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(raw)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 " + status), answer
    assert b"application/problem+json" in answer
    document = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert str(document["status"]).encode() == status
    assert document["requestId"]


def test_figures_are_those_of_all_workers(gateway: GatewayServer, conn: psycopg.Connection[DictRow]) -> None:
    """Whichever worker answers /metrics, it counts the requests of every other."""
    key = make_key(conn, make_user(conn))
    _warm(gateway, key)
    answered = sum(line["event"] == "request" and line.get("route") == LIST for line in gateway.lines())

    def counted() -> float:
        return sum(
            float(line.rpartition(" ")[2])
            for line in gateway.metrics().splitlines()
            if line.startswith("chat_api_request_count_total") and f'route="{LIST}"' in line
        )

    _until(lambda: counted() == answered > 0)


def test_a_killed_worker_is_replaced(tmp_path: Path, database_url: str, limits_url: str) -> None:
    """The others answer on, and the new one takes part."""
    with serve(tmp_path, database_url, limits_url) as server:

        def booted() -> list[int]:
            lines = [line["event"] for line in server.lines()]
            return [int(event.rpartition(" ")[2]) for event in lines if event.startswith("Booting worker")]

        _until(lambda: len(booted()) == 2)
        os.kill(booted()[0], signal.SIGKILL)
        _until(lambda: len(booted()) == 3)
        server.wait_for("/readyz", 200)


def test_a_killed_run_leaves_no_figures_behind(
    tmp_path: Path, database_url: str, limits_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start removes its directory, when all of its processes are gone, and nobody else's."""
    files = tmp_path / "files"
    (files / f"{metrics_files.PREFIX}of-somebody-who-starts").mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(files))

    def directories() -> set[Path]:
        return set(files.glob(f"{metrics_files.PREFIX}*"))

    others = directories()
    with serve(tmp_path, database_url, limits_url) as server:
        (killed,) = directories() - others
        server.process.kill()
    _until(lambda: not _is_locked(killed))
    os.utime(killed, (0, 0))
    with serve(tmp_path, database_url, limits_url):
        (living,) = directories() - others
        os.utime(living, (0, 0))
        metrics_files.remove_left_behind(files)
        assert directories() == others | {living}
    assert directories() == others


def _is_locked(directory: Path) -> bool:
    opened = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)
    return False


def test_a_bad_variable_ends_gunicorn_with_one_sentence(tmp_path: Path) -> None:
    """Naming the variable, before any worker starts, and never the value of a URL."""
    environment = os.environ | {"DATABASE_URL": "mysql://u:hunter2@h/d", "REDIS_URL": "redis://h"}
    command = [sys.executable, "-m", "gunicorn", "-c", "gateway/gunicorn.conf.py", "gateway.wsgi:application"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=30, check=False)
    assert result.returncode == 1
    assert result.stderr.decode().strip().splitlines() == [
        "DATABASE_URL must be a URL that starts with postgresql: or postgres:."
    ]
    assert not list(tmp_path.iterdir())


def test_a_stop_lets_open_requests_finish(
    tmp_path: Path, database_url: str, limits_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """SIGTERM while a write waits for its row lock: the write is answered 201, then the server ends with 0."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)
    key = make_key(conn, account)
    path = f"{LIST}/{conversation}/messages"
    waiting = "select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and query like '%%last_seq%%'"
    with serve(tmp_path, database_url, limits_url) as server, ThreadPoolExecutor(1) as pool:
        with conn.transaction():
            conn.execute("select from conversations where id = %s for update", (conversation,))
            sending = pool.submit(server.request, "POST", path, key, {"content": "in flight"})
            with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as watcher:
                _until(lambda: one(watcher, waiting)["n"] == 1)
            server.process.send_signal(signal.SIGTERM)
            _until(lambda: any(line["event"] == "Handling signal: term" for line in server.lines()))
        assert sending.result(10)[0] == 201
        assert server.process.wait(15) == 0
    assert one(conn, "select count(*) as n from chat_messages")["n"] == 1


def test_a_stop_does_not_wait_for_idle_connections(tmp_path: Path, database_url: str, limits_url: str) -> None:
    """One that has said nothing, and one that is kept alive: neither holds a worker until it must be cut."""
    with serve(tmp_path, database_url, limits_url, GUNICORN_CMD_ARGS="--graceful-timeout 120") as server:
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        with contextlib.closing(kept), socket.create_connection(("127.0.0.1", server.port)):
            kept.request("GET", "/livez")
            kept.getresponse().read()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0


def test_a_probe_has_a_thread_of_its_own(
    tmp_path: Path, database_url: str, limits_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Whatever holds all others: here there is one, and a key is looked for that nobody can find."""
    one_thread = {"CROSSFADE_GATEWAY_WORKERS": "1", "GUNICORN_CMD_ARGS": "--threads 1"}
    with serve(tmp_path, database_url, limits_url, **one_thread) as server, ThreadPoolExecutor(1) as pool:
        with conn.transaction():
            conn.execute("lock table chat_api_keys in access exclusive mode")
            asking = pool.submit(server.request, "GET", LIST, key_text.mint("test").text)
            answered = 0
            while not asking.done():
                assert server.request("GET", "/livez")[0] == 200
                answered += 1
        assert asking.result()[0] == 503
    assert answered > 3
