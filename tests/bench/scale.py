"""Two accounts of different size, asked the same questions in turn. Used by bench_api_scale and test_query_plans."""

import contextlib
import dataclasses
import http.client
import json
import logging
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg
import structlog

from gateway.app import create_app
from gateway.database import SESSION
from gateway.domain import event_cursors
from gateway.domain.event_cursors import EventCursor
from gateway.process.runtime import running
from gateway.settings import Settings
from ops.cli.seed import Plan, refresh_statistics, write
from tests.bench import event_log
from tests.factories import make_key, make_user
from tests.servers.gateway_server import serve

API = "/api/v1/chat"
DEEP = 1_000  # pages
DEEP_LIMIT = 2  # two rows a page: 2,000 conversations have a 1,000th page, too
LONGEST = DEEP * DEEP_LIMIT  # messages of the small account's long conversation
EMAIL = "scale@example.com"
TIMEOUT_S = 20.0

Ask = Callable[[str], tuple[int, bytes]]  # a path, the answer's status and body


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
    """A seeded account behind a gateway of its own."""

    size: Size
    id: UUID
    send: Ask
    long_conversation: int
    first_event: int
    last_event: int
    deep_cursor: str = ""
    paths: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Walk to the 1,000th page once, in larger steps, as a consumer would who follows nextCursor."""
        left = (DEEP - 1) * DEEP_LIMIT
        while left:
            step = {"limit": min(left, 100)} | ({"cursor": self.deep_cursor} if self.deep_cursor else {})
            status, body = self.send(f"{API}/conversations?{urlencode(step)}")
            assert status == 200, body
            self.deep_cursor = json.loads(body)["pagination"]["nextCursor"]
            left -= min(left, 100)
        self.paths = {probe.name: API + probe.path(self) for probe in PROBES}

    def ask(self, probe: str) -> float:
        """Return the milliseconds of one answer."""
        began = time.perf_counter()
        status, body = self.send(self.paths[probe])
        took_ms = (time.perf_counter() - began) * 1000
        assert status == 200, body
        return took_ms

    def items(self, probe: str) -> int:
        """Return how many items the answer shows."""
        return len(json.loads(self.send(self.paths[probe])[1])["data"])

    def events_after(self, share: float) -> str:
        """Return the cursor past this share of the log, as somebody has it who read so far."""
        mark = self.first_event + int((self.last_event - self.first_event) * share)
        return event_cursors.encode(EventCursor(high_water=mark), self.id)


def _messages(account: Account) -> str:
    return f"/conversations/{account.long_conversation}/messages"


PROBES = [
    Probe("conversations, first page", lambda _: "/conversations"),
    Probe("conversations, page 1000 by cursor", lambda a: f"/conversations?limit={DEEP_LIMIT}&cursor={a.deep_cursor}"),
    Probe("conversations, page=1000", lambda _: f"/conversations?limit={DEEP_LIMIT}&page={DEEP}"),
    Probe("conversations, status filter", lambda _: "/conversations?status=snoozed"),
    Probe("conversations, priority filter", lambda _: "/conversations?priority=urgent"),
    Probe("conversations, unread filter", lambda _: "/conversations?unread=true"),
    Probe("conversations, channel and status", lambda _: "/conversations?channel=api&status=pending"),
    Probe("messages, first page", _messages),
    Probe("messages, page 1000", lambda a: f"{_messages(a)}?limit={DEEP_LIMIT}&after_seq={(DEEP - 1) * DEEP_LIMIT}"),
    Probe("messages, page 1000 from the end", lambda a: f"{_messages(a)}?before_seq={DEEP_LIMIT * 2}"),
    Probe("search, one message's own word", lambda _: "/messages/search?q=ref5x3"),
    Probe("search, a rare word", lambda _: "/messages/search?q=tarragon"),
    Probe("search, a common word", lambda _: "/messages/search?q=refund"),
    Probe("search, two words", lambda _: "/messages/search?q=refund+tarragon"),
    Probe("search, two rare words", lambda _: "/messages/search?q=hotel+tarragon"),
    Probe("search, rare and begun", lambda _: "/messages/search?q=refund+saffron+th"),
    Probe("search, a word nobody wrote", lambda _: "/messages/search?q=xylophone"),
    Probe("events, first page", lambda _: "/events"),
    Probe("events, from the middle", lambda a: f"/events?after={a.events_after(0.5)}"),
    Probe("events, from the end", lambda a: f"/events?after={a.events_after(1)}"),
    Probe("events, a rare type", lambda a: f"/events?types={event_log.RARE}&after={a.events_after(0.25)}"),
]


def ensure_seeded(url: str, size: Size, tell: Callable[[int], None] = lambda _: None) -> UUID:
    """Seed a database once, each message with its event; return the account that is in it."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("select id from auth.users where email = %s", (EMAIL,)).fetchone()
        account_id = UUID(str(found[0])) if found else make_user(connection, EMAIL)
        if not found:
            write(connection, size.plan(account_id), tell)
            refresh_statistics(connection)
        event_log.ensure_written(connection, account_id)
    return account_id


@contextlib.contextmanager
def in_process(url: str, redis_url: str, size: Size, account_id: UUID) -> Iterator[Account]:
    """A gateway in this process: for looking at its statements, not for measuring it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    settings = Settings.from_env({"DATABASE_URL": url, "REDIS_URL": redis_url})
    try:
        with running(create_app(settings)) as app:
            key = _key(url, account_id)

            def send(path: str) -> tuple[int, bytes]:
                answer = app.test_client().get(path, headers={"X-API-Key": key})
                return answer.status_code, answer.data

            yield _account(url, size, account_id, send)
    finally:
        structlog.reset_defaults()


@contextlib.contextmanager
def over_http(url: str, redis_url: str, size: Size, account_id: UUID, directory: Path) -> Iterator[Account]:
    """The gateway as it runs in production, asked over one connection that is kept."""
    directory.mkdir(parents=True, exist_ok=True)
    headers = {"X-API-Key": _key(url, account_id)}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serve(directory, url, redis_url, CROSSFADE_LOG_LEVEL="WARNING"))
        server.wait_for("/readyz", 200)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
        stack.callback(connection.close)

        def send(path: str) -> tuple[int, bytes]:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

        yield _account(url, size, account_id, send)


def _key(url: str, account_id: UUID) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        return make_key(connection, account_id)


def _account(url: str, size: Size, account_id: UUID, send: Ask) -> Account:
    with psycopg.connect(url, autocommit=True) as connection:
        conversation = connection.execute(
            "select id from conversations where user_id = %s order by last_seq desc limit 1", (account_id,)
        ).fetchone()
        events = connection.execute(
            "select min(id), max(id) from chat_events where account_id = %s", (account_id,)
        ).fetchone()
    assert conversation is not None
    assert events is not None
    account = Account(size, account_id, send, int(conversation[0]), int(events[0]), int(events[1]))
    account.prepare()
    return account


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
