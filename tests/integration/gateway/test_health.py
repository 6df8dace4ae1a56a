"""Probes and figures."""

import psycopg
from flask import Flask
from psycopg.rows import DictRow

from gateway.process.health import newest_version
from tests.conftest import one
from tests.integration.gateway.conftest import METRICS_PORT, Account, problem
from tests.waiting import wait_for


def test_a_whole_gateway_is_ready(app: Flask) -> None:
    """Database, schema, Redis, whether it can write and whether requests move on: each is looked at by itself."""
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 200
    parts = ("status", "database", "schema", "writes", "redis", "turnstile")
    assert answer.get_json() == dict.fromkeys(parts, "ok")
    assert app.test_client().get("/livez").get_json() == {"status": "ok"}


def test_an_older_schema_is_not_ready_and_a_newer_one_is(app: Flask, conn: psycopg.Connection[DictRow]) -> None:
    """Old code serves on while a newer schema is rolled out; new code does not serve on an older one."""
    newest = one(conn, "select version_num from crossfade.schema_version")["version_num"]
    assert newest == newest_version()
    try:
        for version, status, schema in (("0001", 503, "behind"), ("9999", 200, "ok")):
            conn.execute("update crossfade.schema_version set version_num = %s", (version,))
            wanted = (status, schema)
            wait_for(lambda wanted=wanted: _schema(app) == wanted, f"/readyz to say {wanted}")  # type: ignore[misc]
    finally:
        conn.execute("update crossfade.schema_version set version_num = %s", (newest,))


def _schema(app: Flask) -> tuple[int, str]:
    answer = app.test_client().get("/readyz")
    return answer.status_code, answer.get_json()["schema"]


def test_requests_are_counted_by_route(account: Account) -> None:
    """By the rule and not by the path, so that ids do not make series."""
    account.get("/conversations/12345")

    def figures() -> str:
        return account.client.get("/metrics", base_url=f"http://localhost:{METRICS_PORT}").text

    route = 'route="/api/v1/chat/conversations/<row_id:conversation_id>",status="404"'
    wait_for(lambda: route in figures(), "the request to be counted")
    text = figures()
    assert "conversations/12345" not in text
    assert 'chat_api_key_lookups_total{source="database"}' in text
    assert account.key not in text


def test_an_error_of_ours_tells_nothing_but_the_request_id(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """500 as a problem, without a word of SQL; nothing is stored."""
    conversation = account.make_conversation()
    signature = "crossfade.message_payload(chat_messages, uuid, bigint)"
    conn.execute(f"alter function {signature} rename to gone")
    try:
        answer = account.post(f"/conversations/{conversation}/messages", {"content": "x"})
    finally:
        conn.execute(f"alter function {signature.replace('message_payload', 'gone')} rename to message_payload")
    document = problem(answer, 500, "internal_error")
    assert document["requestId"] in document["detail"]
    assert "payload" not in answer.text
    assert one(conn, "select last_seq from conversations")["last_seq"] == 0
    assert account.send(conversation)["seq"] == 1
