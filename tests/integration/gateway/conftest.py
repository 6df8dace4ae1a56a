"""One app per test on a fresh database; accounts that speak HTTP and nothing else."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from psycopg import sql
from psycopg.rows import DictRow
from werkzeug.test import TestResponse

from gateway.app import create_app
from gateway.process.runtime import running
from gateway.settings import Settings
from ops.machine.postgres import EmbeddedPostgres
from tests.factories import make_key, make_user

API = "/api/v1/chat"
WEBHOOK_SCOPES = ("chat:read", "chat:write", "webhooks:manage")
WUZAPI_URL = "http://wuzapi.test:8080"
SECRETS_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
PUBLIC_URL = "https://chat.example.com"
METRICS_PORT = 9464
JWT_SECRET = "a-secret-of-at-least-thirty-two-characters"
EMPTY: tuple[LiteralString, ...] = (
    "delete from conversations",
    "delete from chat_events",
    "delete from auth.users",
    "delete from chat_settings",
    "delete from webhook_deliveries",
    "delete from webhook_attempts",
    "update relay_cursors set delivered_count = 0, lease_until = '-infinity'",
    "alter table conversations alter column id restart",
    "alter table chat_messages alter column id restart",
    "alter table chat_external_webhooks alter column id restart",
    "alter table webhook_secrets alter column id restart",
    "alter sequence webhook_deliveries_id_seq restart",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A customer with a key. Every method is one HTTP request."""

    id: UUID
    key: str
    client: FlaskClient

    def get(self, path: str, **values: Any) -> TestResponse:
        return self.open("GET", path, **values)

    def post(self, path: str, body: Any = None, **values: Any) -> TestResponse:
        return self.open("POST", path, **({"json": body} if body is not None else {}), **values)

    def patch(self, path: str, body: Any = None, **values: Any) -> TestResponse:
        return self.open("PATCH", path, **({"json": body} if body is not None else {}), **values)

    def delete(self, path: str, **values: Any) -> TestResponse:
        return self.open("DELETE", path, **values)

    def open(self, method: str, path: str, headers: dict[str, str] | None = None, **values: Any) -> TestResponse:
        sent = {"X-API-Key": self.key} | (headers or {})
        url = path if path.startswith("/api/") else API + path
        return self.client.open(url, method=method, headers=sent, **values)

    def make_conversation(self, **fields: Any) -> int:
        answer = self.post("/conversations", {"contactJid": "contact@example.com"} | fields)
        assert answer.status_code == 201, answer.text
        return int(data(answer)["id"])

    def send(self, conversation_id: int, content: str = "hello", **fields: Any) -> dict[str, Any]:
        answer = self.post(f"/conversations/{conversation_id}/messages", {"content": content} | fields)
        assert answer.status_code == 201, answer.text
        message: dict[str, Any] = data(answer)
        return message


@pytest.fixture(scope="session")
def gateway_url(postgres_server: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """One clone for all tests here: emptying it takes milliseconds, a clone of its own for each test takes seconds."""
    name = f"gateway_tests_{uuid4().hex[:8]}"  # tests elsewhere may borrow these fixtures, and get a clone of their own
    with psycopg.connect(postgres_server.admin_url(), autocommit=True) as admin:
        create = sql.SQL("create database {} template {} owner postgres strategy file_copy")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template_database)))
        yield postgres_server.url(name)
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def database_url(gateway_url: str) -> str:
    """The clone, emptied: every id counts from 1 again."""
    with psycopg.connect(gateway_url, autocommit=True) as connection:
        for statement in EMPTY:
            connection.execute(statement)
    return gateway_url


@pytest.fixture(scope="session")
def limits_url(redis_url: str) -> str:
    return f"{redis_url}?db=9"


@pytest.fixture(scope="session")
def settings(gateway_url: str, limits_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.from_env(
        {
            "DATABASE_URL": gateway_url,
            "REDIS_URL": limits_url,
            "CROSSFADE_DB_POOL_SIZE": "16",
            "CROSSFADE_SECRETS_KEY": SECRETS_KEY,
            "CROSSFADE_WUZAPI_URLS": WUZAPI_URL,
            "SUPABASE_JWT_SECRET": JWT_SECRET,
            "CROSSFADE_PUBLIC_URL": f"{PUBLIC_URL}/",
            "CROSSFADE_METRICS_PORT": str(METRICS_PORT),
            "CROSSFADE_STORAGE": "directory",
            "CROSSFADE_STORAGE_DIR": str(tmp_path_factory.mktemp("files")),
        }
    )


@pytest.fixture(scope="session")
def running_app(settings: Settings) -> Iterator[Flask]:
    with running(create_app(settings)) as app:
        yield app


@pytest.fixture
def app(running_app: Flask, database_url: str, limits_url: str) -> Flask:
    """The app on empty stores: limits by address would otherwise add up over tests."""
    with redis.Redis.from_url(limits_url) as client:
        client.flushdb()
    return running_app


@pytest.fixture
def new_account(app: Flask, conn: psycopg.Connection[DictRow]) -> Callable[..., Account]:
    def create(*, accounts: Sequence[UUID] = (), **key: Any) -> Account:
        account_id = make_user(conn, accounts=accounts)
        return Account(id=account_id, key=make_key(conn, account_id, **key), client=app.test_client())

    return create


@pytest.fixture
def account(new_account: Callable[..., Account]) -> Account:
    return new_account()


def data(answer: TestResponse) -> Any:
    """Return what a success answer holds."""
    document = answer.get_json()
    assert document["success"] is True, answer.text
    return document["data"]


def problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is a whole problem document of this status and code; return it."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    document: dict[str, Any] = answer.get_json(force=True)
    assert document["status"] == status
    assert document["code"] == code, document
    assert document["type"] == f"/docs/problems/{code}"
    assert document["title"]
    assert document["detail"]
    assert document["requestId"] == answer.headers["X-Request-Id"]
    return document


@pytest.fixture
def owner(new_account: Callable[..., Account]) -> Account:
    """An account that may manage webhooks; `stranger` is another."""
    return new_account(scopes=WEBHOOK_SCOPES)


@pytest.fixture
def stranger(new_account: Callable[..., Account]) -> Account:
    return new_account(scopes=WEBHOOK_SCOPES)
