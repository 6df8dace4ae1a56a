"""What must hold over several worker processes."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import DictRow

from gateway.domain import key_text
from tests.conftest import one
from tests.factories import make_conversation, make_key, make_user
from tests.integration.gateway.process.conftest import LIST, WORKERS, until
from tests.integration.gateway.test_races import at_once
from tests.servers.gateway_server import GatewayServer, serve


def _workers(server: GatewayServer, status: int, key: str) -> set[int]:
    """The worker processes that answered requests of this key with this status, from the log."""
    key_id = key_text.parse(key).id
    lines = [line for line in server.lines() if line["event"] == "request" and line["status"] == status]
    return {line["worker"] for line in lines if line["key_id"] == key_id or status == 401}


def _warm(server: GatewayServer, key: str) -> None:
    """Ask until every worker has answered with this key."""

    def ask() -> bool:
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda _: server.request("GET", LIST, key)[0], range(24))) == {200}
        return len(_workers(server, 200, key)) == WORKERS

    until(ask)


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
            until(lambda: len(asked) > 60)
            conn.execute("update chat_api_keys set revoked_at = now() where id = %s", (key_text.parse(key).id,))
            revoked_at = time.monotonic()
            until(lambda: time.monotonic() > revoked_at + 2.0)
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
    until(lambda: time.monotonic() > changed_at + 1.0)
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
    until(lambda: any(line.get("request_id") == "req-1" for line in gateway.lines()))
    (line,) = [line for line in gateway.lines() if line.get("request_id") == "req-1"]
    assert (line["process"], line["status"], line["route"], line["method"]) == ("gateway", 422, LIST, "GET")
    assert (line["key_id"], line["code"]) == (key_text.parse(key).id, "validation_failed")
    assert line["trace_id"] == trace
    assert line["duration_ms"] >= 0
    assert key not in gateway.log.read_text()


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

    until(lambda: counted() == answered > 0)
