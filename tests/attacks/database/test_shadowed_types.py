"""Attack: a user with SQL makes a type of his own where a function with its owner's rights looks for Postgres'."""

import json

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.factories import append_message, make_conversation, make_user

SHADOWS = ("jsonb", "uuid", "text", "timestamptz", "bool", "int8", "float8")
PREPARE = """
create table pg_temp.ran (who text);
create function pg_temp.act() returns pg_catalog.bool language plpgsql as $$
begin
    if current_user <> 'authenticated' then
        insert into pg_temp.ran values (current_user);
        update public.conversations set contact_name = 'taken over';
    end if;
    return true;
end
$$;
"""
WAYS_IN = {
    "by itself": "select crossfade.token_counts()",
    "a user's own conversations": "select * from public.conversations",
    "who takes part": "select * from public.conversation_participants",
    "messages": "select * from public.chat_messages",
    "a channel's rows": "select * from realtime.messages",
    "joining a channel": "insert into realtime.messages (topic, extension, private) values ('{topic}', 'presence', true)",  # noqa: E501
}


@pytest.mark.parametrize("way", WAYS_IN)
def test_nothing_runs_with_the_owners_rights(conn: psycopg.Connection[DictRow], way: str) -> None:
    """A domain `pg_temp.jsonb` whose check rewrites everybody's conversations is asked by nobody but its maker."""
    user = make_user(conn)
    append_message(conn, make_conversation(conn, make_user(conn)))
    topic = f"presence:{make_conversation(conn, user)}"
    conn.execute("select realtime.send('{}', 'e', %s, true)", (topic,))
    claims = json.dumps({"sub": str(user), "role": "authenticated"})
    for name, value in (("request.jwt.claims", claims), ("realtime.topic", topic)):
        conn.execute("select set_config(%s, %s, false)", (name, value))
    conn.execute("set role authenticated")
    conn.execute(PREPARE)
    for shadow in SHADOWS:
        conn.execute(f"create domain pg_temp.{shadow} as pg_catalog.{shadow} check (pg_temp.act())".encode())
    try:
        conn.execute(WAYS_IN[way].format(topic=topic).encode())
    except psycopg.errors.InsufficientPrivilege:
        assert way == "by itself"
    assert conn.execute("select * from pg_temp.ran").fetchall() == []
    conn.execute("reset role")
    assert conn.execute("select from public.conversations where contact_name = 'taken over'").fetchall() == []
