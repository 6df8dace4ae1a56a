"""A bridge, official clients and a conversation with an outsider."""

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from ops.machine.postgres import EmbeddedPostgres
from realtime_bridge.event_log.event import Event
from realtime_bridge.event_log.reading import event_of
from tests.factories import append_message, make_conversation, make_user
from tests.integration.legacy.clients import Clients
from tests.integration.legacy.harness import Bridge
from tests.integration.legacy.redis_server import RedisServer

EVENTS = """
    select e.id, e.event_id, e.account_id, e.conversation_id, e.seq, e.type, e.payload::text as payload, e.origin,
        e.created_at, array(
        select p.user_id from conversation_participants p where p.conversation_id = e.conversation_id order by p.user_id
    ) as participants
    from chat_events e where e.conversation_id = %s and e.seq > %s order by e.seq
"""
_clones = itertools.count(1)
EMPTY: tuple[LiteralString, ...] = (
    "delete from conversations",
    "delete from chat_events",
    "delete from chat_settings",
    "delete from auth.users",
    "delete from relay_cursors where sink = 'legacy'",
)
REMOVED = """
    insert into chat_events (event_id, account_id, conversation_id, seq, type, payload)
    select %(event_id)s, c.user_id, c.id, c.last_seq, 'conversation.updated',
        crossfade.conversation_payload(c, %(event_id)s, c.last_seq)
            || jsonb_build_object('participants', crossfade.participants_json(c.id))
    from conversations c where c.id = %(id)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A conversation, its people, and the log as its sink would read it."""

    connection: psycopg.Connection[Any]
    id: int
    owner: UUID
    member: UUID
    outsider: UUID

    def append(self, *contents: str) -> list[Event]:
        """Commit messages; return their events."""
        first = self.last_seq + 1
        for content in contents:
            append_message(self.connection, self.id, content)
        return self.events(after_seq=first - 1)

    def remove(self, user_id: UUID) -> list[Event]:
        """Let a user take part no longer, as the gateway does; return the event."""
        event_id, first = uuid4(), self.last_seq
        with self.connection.transaction():
            self.connection.execute("update conversations set last_seq = last_seq + 1 where id = %s", (self.id,))
            self.connection.execute("delete from conversation_participants where user_id = %s", (user_id,))
            self.connection.execute(REMOVED, {"id": self.id, "event_id": event_id})
        return self.events(after_seq=first)

    @property
    def last_seq(self) -> int:
        rows = self.connection.execute("select last_seq from conversations where id = %s", (self.id,)).fetchall()
        return int(rows[0]["last_seq"])

    def events(self, after_seq: int = -1) -> list[Event]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(EVENTS, (self.id, after_seq))
            return [event_of(row) for row in cursor.fetchall()]


@pytest.fixture(scope="session")
def legacy_url(postgres_server: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """One clone for all tests here: emptying it takes milliseconds, a clone of its own for each test a second."""
    name = f"legacy_tests_{next(_clones)}"  # modules elsewhere that import this have one of their own
    with psycopg.connect(postgres_server.admin_url(), autocommit=True) as admin:
        create = sql.SQL("create database {} template {} owner postgres strategy file_copy")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template_database)))
        yield postgres_server.url(name)
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def database_url(legacy_url: str) -> str:
    """The clone, emptied. Ids go on, as they do in life."""
    with psycopg.connect(legacy_url, autocommit=True) as connection:
        for statement in EMPTY:
            connection.execute(statement)
    return legacy_url


@pytest.fixture
def room(conn: psycopg.Connection[DictRow]) -> Room:
    return make_room(conn)


def make_room(connection: psycopg.Connection[DictRow]) -> Room:
    owner, member, outsider = (make_user(connection) for _ in range(3))
    conversation_id = make_conversation(connection, owner, member)
    return Room(connection=connection, id=conversation_id, owner=owner, member=member, outsider=outsider)


@pytest.fixture
def bridge(database_url: str) -> Iterator[Bridge]:
    bridge = Bridge(database_url).start()
    yield bridge
    bridge.stop()


@pytest.fixture
def clients() -> Iterator[Clients]:
    with Clients() as clients:
        yield clients


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="crossfade-") as directory:
        server = RedisServer(Path(directory))
        server.start()
        yield server
        server.kill()
