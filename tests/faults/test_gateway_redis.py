"""Redis goes away: requests go on, unlimited and undelayed, and it is said so."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg.rows import DictRow

from gateway.app import create_app
from gateway.gates.limit_storage import BREAKER_S, TIMEOUT_S
from gateway.process.runtime import running
from gateway.settings import Settings
from tests.factories import make_key, make_user
from tests.servers.redis_server import RedisServer
from tests.waiting import wait_for

LIST = "/api/v1/chat/conversations"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def app(server: RedisServer, database_url: str) -> Iterator[Flask]:
    variables = {"DATABASE_URL": database_url, "REDIS_URL": server.url, "CROSSFADE_METRICS_PORT": "9464"}
    with running(create_app(Settings.from_env(variables))) as app:
        yield app


def _not_applied(client: FlaskClient) -> float:
    lines = client.get("/metrics", base_url="http://localhost:9464").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("chat_api_limits_not_applied_total"))


def test_requests_go_on_without_redis(app: Flask, server: RedisServer, conn: psycopg.Connection[DictRow]) -> None:
    """Fail open: answered, counted as not limited, ready but degraded; limited again when Redis is back."""
    client = app.test_client()
    headers = {"X-API-Key": make_key(conn, make_user(conn), rate_limit=3)}
    assert [client.get(LIST, headers=headers).status_code for _ in range(4)] == [200, 200, 200, 429]
    server.kill()
    answers = [client.get(LIST, headers=headers) for _ in range(10)]
    assert {answer.status_code for answer in answers} == {200}
    assert all("RateLimit" not in answer.headers for answer in answers)
    wait_for(lambda: _not_applied(client) >= 10, "the figures to tell of it")
    wait_for(lambda: client.get("/readyz").get_json()["redis"] == "degraded", "/readyz to tell of it")
    assert client.get("/readyz").status_code == 200
    server.start()
    deadline = time.monotonic() + 10 * BREAKER_S
    while "RateLimit" not in client.get(LIST, headers=headers).headers:
        assert time.monotonic() < deadline
    wait_for(lambda: client.get("/readyz").get_json()["redis"] == "ok", "/readyz to see Redis again")


def test_a_redis_that_hangs_delays_one_request_per_second(
    app: Flask, server: RedisServer, conn: psycopg.Connection[DictRow]
) -> None:
    """A stopped process accepts and never answers: the breaker keeps the others fast."""
    client = app.test_client()
    headers = {"X-API-Key": make_key(conn, make_user(conn))}
    client.get(LIST, headers=headers)
    server.pause()
    try:
        began = time.monotonic()
        assert {client.get(LIST, headers=headers).status_code for _ in range(20)} == {200}
        assert time.monotonic() - began < 20 * TIMEOUT_S / 2  # without the breaker each would wait a whole timeout
    finally:
        server.resume()


def test_a_bad_key_stays_out_without_redis(app: Flask, server: RedisServer) -> None:
    """Only limits are open; identity is not."""
    server.kill()
    answer = app.test_client().get(LIST, headers={"X-API-Key": "cf_test_a_b"})
    assert answer.status_code == 401
