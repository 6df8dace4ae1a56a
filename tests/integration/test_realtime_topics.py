"""Who may join which private channel, asked of Postgres as Supabase Realtime asks it."""

from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import DictRow

from tests.factories import make_conversation, make_user

PROBE = "insert into realtime.messages (topic, extension, private) values (%s, %s, true)"
ODD_TOPICS = [
    "",
    "conversation:",
    "conversation:1x",
    "conversation:-1",
    "conversation:99999999999999999999",
    "conversation:1:1",
    "xconversation:1",
    "user::inbox",
    "user:inbox",
    "room:1",
    "conversation:1 ",
    "conversation:1\n",
    "conversation:0",
]


def may(connection: psycopg.Connection[DictRow], user: UUID | str, topic: str, extension: str = "broadcast") -> str:
    """Return `r`, `w`, both or nothing, as Realtime finds out: with probe rows under the caller's role and claims."""
    allowed = ""
    with connection.transaction(force_rollback=True):
        connection.execute(PROBE, (topic, extension))
        connection.execute(
            "select set_config('request.jwt.claim.sub', %s, true), set_config('realtime.topic', %s, true)",
            (str(user), topic),
        )
        connection.execute("set local role authenticated")
        rows = connection.execute("select 1 from realtime.messages where topic = %s", (topic,)).fetchall()
        allowed += "r" if rows else ""
        try:
            with connection.transaction():
                connection.execute(PROBE, (topic, extension))
            allowed += "w"
        except psycopg.errors.InsufficientPrivilege:
            pass
    return allowed


def test_members_receive_and_strangers_do_not(conn: psycopg.Connection[DictRow]) -> None:
    """Participants receive on both channels of a conversation and may send on presence only; strangers get nothing."""
    owner, member, stranger = make_user(conn), make_user(conn), make_user(conn)
    conversation = make_conversation(conn, owner, member)
    for user in (owner, member):
        assert may(conn, user, f"conversation:{conversation}") == "r"
        assert may(conn, user, f"presence:{conversation}") == "rw"
        assert may(conn, user, f"presence:{conversation}", "presence") == "rw"
        assert may(conn, user, f"user:{user}:inbox") == "r"
        assert may(conn, user, f"user:{stranger}:inbox") == ""
    for topic in (f"conversation:{conversation}", f"presence:{conversation}", f"user:{owner}:inbox"):
        assert may(conn, stranger, topic) == ""


@pytest.mark.parametrize("topic", ODD_TOPICS)
def test_odd_topics_belong_to_nobody(conn: psycopg.Connection[DictRow], topic: str) -> None:
    """A topic of another shape is refused, not guessed at, and never an error."""
    owner = make_user(conn)
    make_conversation(conn, owner)
    assert may(conn, owner, topic) == ""


@pytest.mark.parametrize("zeros", ["0", "00"])
@pytest.mark.parametrize("kind", ["conversation", "presence"])
def test_an_id_has_one_spelling(conn: psycopg.Connection[DictRow], kind: str, zeros: str) -> None:
    """A member who writes its conversation's id with a zero in front is refused, because nothing is ever sent there."""
    owner = make_user(conn)
    conversation = make_conversation(conn, owner)
    assert may(conn, owner, f"{kind}:{zeros}{conversation}") == ""


def test_someone_who_was_removed_receives_no_more(conn: psycopg.Connection[DictRow]) -> None:
    """Membership is asked when the channel is joined, not remembered from before."""
    owner, member = make_user(conn), make_user(conn)
    conversation = make_conversation(conn, owner, member)
    conn.execute("delete from conversation_participants where user_id = %s", (member,))
    assert may(conn, member, f"conversation:{conversation}") == ""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(members=st.lists(st.sets(st.integers(0, 3)), min_size=1, max_size=4))
def test_receiving_is_exactly_membership(conn: psycopg.Connection[DictRow], members: list[set[int]]) -> None:
    """For any accounts and memberships: a user receives on a conversation's channel if and only if it takes part."""
    users = [make_user(conn) for _ in range(4)]
    owner = make_user(conn)
    for chosen in members:
        conversation = make_conversation(conn, owner, *(users[index] for index in chosen))
        receiving = {index for index in range(4) if "r" in may(conn, users[index], f"conversation:{conversation}")}
        assert receiving == chosen
