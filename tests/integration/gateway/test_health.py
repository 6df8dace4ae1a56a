"""Probes and figures."""

from typing import LiteralString

import psycopg
import pytest
from flask import Flask
from psycopg.rows import DictRow

from gateway.app import create_app
from gateway.health import newest_version
from gateway.metrics import FRESH_S, Metrics
from gateway.runtime import running
from gateway.settings import Settings
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


@pytest.mark.parametrize(
    ("fails", "heals"),
    [
        (  # what Supabase does with a project that runs full
            "alter role postgres set default_transaction_read_only = on",
            "alter role postgres reset default_transaction_read_only",
        ),
        (  # what Postgres answers when there is no room for another page
            """
            create function public.no_room() returns trigger language plpgsql as $$
            begin raise 'could not extend file: No space left on device' using errcode = 'disk_full'; end $$;
            create trigger no_room before insert on crossfade.write_probe execute function public.no_room()
            """,
            "drop function if exists public.no_room() cascade",
        ),
    ],
)
def test_a_database_that_takes_no_writes_is_not_ready(
    settings: Settings, app: Flask, conn: psycopg.Connection[DictRow], fails: LiteralString, heals: LiteralString
) -> None:
    """Every read still succeeds; `/readyz` tries what a message needs, and what it wrote is gone again."""
    conn.execute("set default_transaction_read_only = off")
    conn.execute(fails)
    try:
        with running(create_app(settings)) as fresh:
            answer = fresh.test_client().get("/readyz")
            assert (answer.status_code, answer.get_json()["database"], answer.get_json()["writes"]) == (
                503,
                "ok",
                "down",
            )
    finally:
        conn.execute(heals)
    with running(create_app(settings)) as fresh:
        assert fresh.test_client().get("/readyz").get_json()["writes"] == "ok"
    assert one(conn, "select count(*) as n from crossfade.write_probe")["n"] == 0


def test_figures_have_their_own_port(app: Flask, account: Account) -> None:
    """Not on the public one, whatever Host a caller names; and nothing of the API on theirs."""
    client, there = app.test_client(), f"http://localhost:{METRICS_PORT}"
    problem(client.get("/metrics"), 404, "not_found")
    problem(client.get("/metrics", headers={"Host": f"localhost:{METRICS_PORT}"}), 404, "not_found")
    assert client.get("/metrics", base_url=there).status_code == 200
    assert client.get("/livez", base_url=there).status_code == 200
    problem(account.get("/conversations", base_url=there), 404, "not_found")


def test_figures_are_gathered_once_a_second() -> None:
    """However many ask: the rest are given the same text."""
    now = [0.0]
    figures = Metrics(clock=lambda: now[0])
    first = figures.render()
    figures.key_lookups.labels("cache").inc()
    now[0] = FRESH_S / 2
    assert figures.render() is first
    now[0] = FRESH_S
    assert b'source="cache"} 1.0' in figures.render()


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
    assert "12345" not in text
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
