"""A bridge, official clients and a conversation with an outsider."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from realtime_bridge.events import Event
from realtime_bridge.log import event_of
from tests.factories import append_message, make_conversation, make_user
from tests.integration.legacy.clients import Clients
from tests.integration.legacy.harness import Bridge
from tests.integration.legacy.redis_server import RedisServer

EVENTS = """
    select e.*, array(
        select p.user_id from conversation_participants p where p.conversation_id = e.conversation_id order by p.user_id
    ) as participants
    from chat_events e where e.conversation_id = %s and e.seq > %s order by e.seq
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

    @property
    def last_seq(self) -> int:
        rows = self.connection.execute("select last_seq from conversations where id = %s", (self.id,)).fetchall()
        return int(rows[0]["last_seq"])

    def events(self, after_seq: int = -1) -> list[Event]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(EVENTS, (self.id, after_seq))
            return [event_of(row) for row in cursor.fetchall()]


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
