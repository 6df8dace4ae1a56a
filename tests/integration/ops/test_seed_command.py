"""`crossfade seed` writes what it says, and what it writes holds together."""

import json
from uuid import uuid4

import psycopg
from click.testing import CliRunner
from psycopg.rows import DictRow

from ops.cli.main import main
from ops.cli.seed import Plan
from tests.conftest import one
from tests.factories import make_user


def crossfade(database_url: str, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["seed", *arguments], env={"DATABASE_URL": database_url})
    return result.exit_code, result.output


def test_a_seeded_account_is_as_large_as_asked(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """The counts are exact, and one conversation holds a fortieth of all messages."""
    account = make_user(conn)
    code, output = crossfade(database_url, f"--account={account}", "--conversations=60", "--messages=4000", "--json")
    assert code == 0, output
    assert json.loads(output.splitlines()[-1])["messages"] == 4000
    counts = "select count(*) as conversations, sum(last_seq) as messages, max(last_seq) as longest from conversations"
    assert one(conn, counts) == {"conversations": 60, "messages": 4000, "longest": 100}
    assert one(conn, "select count(*) as n from chat_messages")["n"] == 4000
    assert one(conn, "select count(*) as n from conversation_participants where role = 'owner'")["n"] == 60


def test_seeded_rows_agree_with_each_other(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Numbers are gapless, unread counts are those of the rows, and the list shows each conversation's last message."""
    account = make_user(conn)
    assert crossfade(database_url, f"--account={account}", "--conversations=23", "--messages=500")[0] == 0
    wrong = conn.execute(
        """
        select c.id from conversations c
        join lateral (
            select count(*) as n, min(seq) as first, max(seq) as last,
                count(*) filter (where direction = 'incoming' and status <> 'read') as unread
            from chat_messages m where m.conversation_id = c.id
        ) as m on true
        join chat_messages newest on newest.conversation_id = c.id and newest.seq = c.last_seq
        where (m.n, m.first, m.last, m.unread) is distinct from (c.last_seq, 1, c.last_seq, c.unread_count)
            or c.last_message_preview <> left(newest.content, 100) or c.last_message_at <> newest.created_at
        """
    ).fetchall()
    assert wrong == []
    assert one(conn, "select count(*) as n from conversations where unread_count > 0")["n"] == 5


def test_seeded_conversations_are_of_every_priority(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Most of them are normal, as they would be."""
    account = make_user(conn)
    assert crossfade(database_url, f"--account={account}", "--conversations=50", "--messages=0")[0] == 0
    rows = conn.execute("select priority, count(*)::integer as n from conversations group by priority").fetchall()
    assert {row["priority"]: row["n"] for row in rows} == {"normal": 39, "high": 5, "low": 5, "urgent": 1}


def test_seeding_is_history_and_tells_nobody(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """No event is made, so no sink delivers and no subscriber is called."""
    assert crossfade(database_url, f"--account={make_user(conn)}", "--conversations=3", "--messages=9")[0] == 0
    assert one(conn, "select count(*) as n from chat_events")["n"] == 0


def test_an_unknown_account_is_one_sentence(database_url: str) -> None:
    """Nothing is written for an account that does not exist."""
    code, output = crossfade(database_url, f"--account={uuid4()}")
    assert code == 1
    assert "There is no user" in output


def test_plans_add_up() -> None:
    """Every plan shares out exactly what was asked, also where there is little of it."""
    for conversations, messages in [(1, 0), (1, 7), (5, 0), (5, 3), (7, 1000), (2000, 20_000)]:
        plan = Plan.of(uuid4(), conversations, messages, 1)
        lengths = [length for batch in plan.batches() for _, length in batch]
        assert len(lengths) == conversations
        assert sum(lengths) == messages
