"""Two accounts of different size, asked the same questions in turn. Used by bench_api_scale only."""

import contextlib
import dataclasses
import logging
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg
import structlog
from flask import Flask
from flask.testing import FlaskClient

from gateway.app import create_app
from gateway.db import SESSION
from gateway.runtime import running
from gateway.settings import Settings
from ops.cli.seed import Plan, refresh_statistics, write
from tests.factories import make_key, make_user

API = "/api/v1/chat"
DEEP = 1_000  # pages
DEEP_LIMIT = 2  # two rows a page: 2,000 conversations have a 1,000th page, too
LONGEST = DEEP * DEEP_LIMIT  # messages of the small account's long conversation
EMAIL = "scale@example.com"


@dataclass(frozen=True, slots=True)
class Size:
    name: str
    conversations: int
    messages: int

    def plan(self, account_id: UUID) -> Plan:
        plan = Plan.of(account_id, self.conversations, self.messages, 365)
        return dataclasses.replace(plan, longest=max(plan.longest, LONGEST))


@dataclass(slots=True)
class Probe:
    """One question; `path` makes it for an account, because cursors and ids differ."""

    name: str
    path: Callable[["Account"], str]


@dataclass(slots=True)
class Account:
    """A seeded account behind a gateway of its own, in this process."""

    size: Size
    app: Flask
    key: str
    long_conversation: int
    deep_cursor: str = ""
    paths: dict[str, str] = field(default_factory=dict)

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def get(self, path: str) -> dict[str, Any]:
        answer = self.client.get(API + path, headers={"X-API-Key": self.key})
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.get_json()
        return document

    def prepare(self) -> None:
        """Walk to the 1,000th page once, in larger steps, as a consumer would who follows nextCursor."""
        left = (DEEP - 1) * DEEP_LIMIT
        while left:
            step = {"limit": min(left, 100)} | ({"cursor": self.deep_cursor} if self.deep_cursor else {})
            self.deep_cursor = self.get(f"/conversations?{urlencode(step)}")["pagination"]["nextCursor"]
            left -= min(left, 100)
        self.paths = {probe.name: probe.path(self) for probe in PROBES}

    def ask(self, probe: str) -> float:
        """Return the milliseconds of one answer."""
        client, url = self.client, API + self.paths[probe]
        began = time.perf_counter()
        answer = client.get(url, headers={"X-API-Key": self.key})
        took_ms = (time.perf_counter() - began) * 1000
        assert answer.status_code == 200, answer.text
        return took_ms


def _messages(account: Account) -> str:
    return f"/conversations/{account.long_conversation}/messages"


PROBES = [
    Probe("conversations, first page", lambda _: "/conversations"),
    Probe("conversations, page 1000 by cursor", lambda a: f"/conversations?limit={DEEP_LIMIT}&cursor={a.deep_cursor}"),
    Probe("conversations, page=1000", lambda _: f"/conversations?limit={DEEP_LIMIT}&page={DEEP}"),
    Probe("conversations, status filter", lambda _: "/conversations?status=snoozed"),
    Probe("conversations, unread filter", lambda _: "/conversations?unread=true"),
    Probe("conversations, channel and status", lambda _: "/conversations?channel=api&status=pending"),
    Probe("messages, first page", _messages),
    Probe("messages, page 1000", lambda a: f"{_messages(a)}?limit={DEEP_LIMIT}&after_seq={(DEEP - 1) * DEEP_LIMIT}"),
    Probe("messages, page 1000 from the end", lambda a: f"{_messages(a)}?before_seq={DEEP_LIMIT * 2}"),
    Probe("search, one message's own word", lambda _: "/messages/search?q=ref5x3"),
    Probe("search, a rare word", lambda _: "/messages/search?q=tarragon"),
    Probe("search, a common word", lambda _: "/messages/search?q=refund"),
    Probe("search, two words", lambda _: "/messages/search?q=refund+tarragon"),
    Probe("search, a word nobody wrote", lambda _: "/messages/search?q=xylophone"),
]


def ensure_seeded(url: str, size: Size, tell: Callable[[int], None] = lambda _: None) -> UUID:
    """Seed a database once; return the account that is in it."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("select id from auth.users where email = %s", (EMAIL,)).fetchone()
        if found:
            return UUID(str(found[0]))
        account_id = make_user(connection, EMAIL)
        write(connection, size.plan(account_id), tell)
        refresh_statistics(connection)
    return account_id


@contextlib.contextmanager
def serving(url: str, redis_url: str, size: Size, account_id: UUID) -> Iterator[Account]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with psycopg.connect(url, autocommit=True) as connection:
        key = make_key(connection, account_id)
        row = connection.execute(
            "select id from conversations where user_id = %s order by last_seq desc limit 1", (account_id,)
        ).fetchone()
    assert row is not None
    settings = Settings.from_env({"DATABASE_URL": url, "REDIS_URL": redis_url})
    with running(create_app(settings)) as app:
        yield Account(size, app, key, int(row[0]))


@contextlib.contextmanager
def recorded() -> Iterator[list[tuple[Any, Any]]]:
    """Collect the statements that run inside the block, with their values."""
    seen: list[tuple[Any, Any]] = []
    execute = psycopg.Cursor.execute

    def spy(cursor: Any, query: Any, params: Any = None, **options: Any) -> Any:
        seen.append((query, params))
        return execute(cursor, query, params, **options)

    psycopg.Cursor.execute = spy  # type: ignore[method-assign,assignment]
    try:
        yield seen
    finally:
        psycopg.Cursor.execute = execute  # type: ignore[method-assign]


def plans(url: str, account: Account, probe: str) -> str:
    """Return the measured plans of every statement that answers a probe."""
    with recorded() as statements:
        account.ask(probe)
    texts = [f"{probe}\n{account.size.conversations:,} conversations, {account.size.messages:,} messages\n"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SESSION)
        for query, values in statements:
            if values and "select" in query and "chat_api_keys" not in query:  # those are a thread's, beside it
                rows = connection.execute(f"explain (analyze, buffers, costs off) {query}", values).fetchall()
                texts.append("\n".join(str(row[0]) for row in rows) + "\n")
    return "\n".join(texts)


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]
