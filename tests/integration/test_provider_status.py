"""What a provider's news may do to a message's status, against the rule that the API follows."""

import itertools

import psycopg
import pytest
from psycopg.rows import DictRow

from gateway.domain.messages import MessageStatus
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user

PAIRS = list(itertools.product(MessageStatus, MessageStatus))


def move(conn: psycopg.Connection[DictRow], message_id: int, wanted: str) -> bool:
    query = "select crossfade.append_provider_status(%(m)s, %(w)s, 'X1', null, 'wuzapi') as moved"
    return bool(one(conn, query, m=message_id, w=wanted)["moved"])


def test_the_database_moves_a_status_as_the_domain_allows(conn: psycopg.Connection[DictRow]) -> None:
    """Every pair of words: the function in the database and `MessageStatus.may_become` agree."""
    conversation = make_conversation(conn, make_user(conn))
    for known, wanted in PAIRS:
        message_id = append_message(conn, conversation)
        conn.execute("update chat_messages set status = %s where id = %s", (known, message_id))
        assert move(conn, message_id, wanted) == known.may_become(wanted), (known, wanted)
    events = conn.execute("select seq from chat_events where conversation_id = %s order by seq", (conversation,))
    assert [row["seq"] for row in events.fetchall()] == list(
        range(1, one(conn, "select last_seq from conversations")["last_seq"] + 1)
    )


@pytest.mark.parametrize("direction", ["incoming", "outgoing"])
def test_reading_an_incoming_message_leaves_one_unread_less(conn: psycopg.Connection[DictRow], direction: str) -> None:
    """Only what came in counts as unread, and it is counted off once."""
    message_id = append_message(conn, make_conversation(conn, make_user(conn)))
    conn.execute("update chat_messages set direction = %s, status = 'delivered'", (direction,))
    conn.execute("update conversations set unread_count = 2")
    assert move(conn, message_id, "read")
    assert not move(conn, message_id, "read")
    assert one(conn, "select unread_count as n from conversations")["n"] == (1 if direction == "incoming" else 2)


def test_a_message_that_is_gone_moves_nothing(conn: psycopg.Connection[DictRow]) -> None:
    """A receipt for a deleted row is no error."""
    assert not move(conn, 404, "read")
