"""Attack: a user with SQL (a Data API that shows the schema `realtime`) reads or writes other topics' rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.factories import make_conversation, make_user

SEND = "select realtime.send('{\"secret\": 1}', 'message.new', %s, true)"
PROBE = "insert into realtime.messages (topic, extension, private) values (%s, %s, true)"


@contextmanager
def acting_as(connection: psycopg.Connection[DictRow], user: UUID, topic: str) -> Iterator[None]:
    """As `user`, who says by itself which topic it is on; undone at the end."""
    with connection.transaction(force_rollback=True):
        connection.execute(
            "select set_config('request.jwt.claim.sub', %s, true), set_config('realtime.topic', %s, true)",
            (str(user), topic),
        )
        connection.execute("set local role authenticated")
        yield


@pytest.fixture
def stranger(conn: psycopg.Connection[DictRow]) -> UUID:
    return make_user(conn)


def test_rows_of_another_topic_stay_hidden(conn: psycopg.Connection[DictRow], stranger: UUID) -> None:
    """Who says that it is on its own inbox reads that topic's rows, and none of anybody else's."""
    owner = make_user(conn)
    theirs, own = f"conversation:{make_conversation(conn, owner)}", f"user:{stranger}:inbox"
    for topic in (theirs, own):
        conn.execute(SEND, (topic,))
    with acting_as(conn, stranger, own):
        rows = conn.execute("select topic from realtime.messages").fetchall()
    assert [row["topic"] for row in rows] == [own]


@pytest.mark.parametrize("extension", ["broadcast", "presence"])
def test_rows_of_another_topic_are_not_written(
    conn: psycopg.Connection[DictRow], stranger: UUID, extension: str
) -> None:
    """Who may send on one conversation's presence cannot forge a message in another's, or in its own."""
    own = make_conversation(conn, stranger)
    theirs = make_conversation(conn, make_user(conn))
    for topic in (f"conversation:{theirs}", f"presence:{theirs}", f"conversation:{own}"):
        with acting_as(conn, stranger, f"presence:{own}"), pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(PROBE, (topic, extension))
