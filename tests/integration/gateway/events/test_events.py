"""Catch-up over HTTP: pages, types, cursors and what is refused."""

import json
from collections.abc import Callable

import psycopg
import pytest
from psycopg.rows import DictRow

from gateway.domain import event_cursors
from gateway.domain.event_cursors import EventCursor
from gateway.domain.pages import PAGE_BYTES
from tests.factories import append_message, make_conversation, make_user
from tests.integration.gateway.conftest import Account, problem
from tests.integration.gateway.events.pages import contents, drain, read


def test_an_event_has_the_body_of_a_webhook(account: Account) -> None:
    """Type, time, place in the log and in the conversation, and the payload that every side gets."""
    conversation = account.make_conversation()
    message = account.send(conversation, "hello")
    (created, sent), pagination = read(account)
    assert created["type"] == "conversation.new"
    assert sent["type"] == "message.new"
    assert sent["data"] == message
    assert (sent["eventId"], sent["conversationSeq"]) == (message["eventId"], 1)
    assert sent["timestamp"] == message["createdAt"]
    assert sent["seq"] > created["seq"]
    assert (pagination["hasMore"], pagination["limit"], pagination["total"]) == (False, 100, None)


@pytest.mark.parametrize("limit", [1, 2, 7, 500])
def test_pages_of_any_size_give_everything_once(
    account: Account, new_account: Callable[..., Account], limit: int
) -> None:
    """In the order of the log, without what other accounts write in between."""
    other = new_account()
    mine, theirs = account.make_conversation(), other.make_conversation()
    for index in range(8):
        account.send(mine, f"m{index}")
        other.send(theirs, "not mine")
    found, cursor = drain(account, None, limit)
    assert contents(found) == [f"m{index}" for index in range(8)]
    assert len({event["eventId"] for event in found}) == len(found) == 9
    nothing, cursor = drain(account, cursor, limit)
    assert nothing == []
    assert drain(account, cursor, limit) == ([], cursor)  # and while nothing happens it stays the same
    account.send(mine, "later")
    assert contents(drain(account, cursor, limit)[0]) == ["later"]


def test_a_page_ends_with_its_megabyte(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """Whatever its limit: a reader, and the gateway, holds no more at once; `hasMore` says that there is more."""
    conversation = make_conversation(conn, account.id)
    with conn.transaction():
        for number in range(300):
            append_message(conn, conversation, f"{number} " + "ö" * 2_040)
    first, pagination = read(account, limit=500)
    assert 0.9 * PAGE_BYTES < len(json.dumps(first, ensure_ascii=False).encode()) <= PAGE_BYTES
    assert pagination["hasMore"]
    rest, _ = drain(account, pagination["nextCursor"], 500)
    assert [int(content.split()[0]) for content in contents(first + rest)] == list(range(300))


def test_types_narrow_the_pages(account: Account) -> None:
    """Only those asked for; the cursor moves past the others."""
    conversation = account.make_conversation()
    message = account.send(conversation)
    account.patch(f"/conversations/{conversation}/messages/{message['id']}/status", {"status": "sent"})
    events, pagination = read(account, types="message.status,conversation.new")
    assert [event["type"] for event in events] == ["conversation.new", "message.status"]
    assert read(account, pagination["nextCursor"])[0] == []


def test_latest_is_where_state_is_fetched_from(account: Account) -> None:
    """A cursor taken before the state is fetched misses nothing that comes after."""
    conversation = account.make_conversation()
    events, pagination = read(account, "latest")
    assert events == []
    account.send(conversation, "after")
    assert contents(read(account, pagination["nextCursor"])[0]) == ["after"]


def test_a_cursor_below_the_retention_is_gone(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """410 with the oldest cursor that works, and that one works."""
    conversation = account.make_conversation()
    old = read(account, limit=1)[1]["nextCursor"]
    account.send(conversation)
    conn.execute("update crossfade.event_floor set id = (select max(id) from chat_events)")
    account.send(conversation, "kept")
    try:
        document = problem(account.get(f"/events?after={old}"), 410, "cursor_expired")
        assert contents(read(account, document["oldestCursor"])[0]) == ["kept"]
        assert contents(read(account)[0]) == ["kept"]
    finally:
        conn.execute("update crossfade.event_floor set id = 0")


def test_dropping_a_partition_moves_the_floor(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """To the newest event that went with it."""
    conn.execute(
        "create table crossfade.chat_events_2020_01_06 partition of chat_events"
        " for values from ('2020-01-06') to ('2020-01-13')"
    )
    account = make_user(conn)
    row = conn.execute(
        "insert into chat_events (event_id, account_id, conversation_id, seq, type, payload, created_at)"
        " values (gen_random_uuid(), %s, 1, 0, 'message.new', '{}', '2020-01-07') returning id",
        (account,),
    ).fetchone()
    assert row is not None
    conn.execute("select crossfade.drop_event_partitions('30 days')")
    floor = conn.execute("select id from crossfade.event_floor").fetchone()
    assert floor == {"id": row["id"]}
    conn.execute("update crossfade.event_floor set id = 0")


def test_a_cursor_from_the_future_is_gone_as_well(account: Account) -> None:
    """After a restore from a backup ids are given out again: silence would lose events, so it is told."""
    text = event_cursors.encode(EventCursor(high_water=2**40), account.id)
    problem(account.get(f"/events?after={text}"), 410, "cursor_expired")


@pytest.mark.parametrize(
    "query", ["after=x", "after=", "limit=0", "limit=501", "wait=26", "wait=-1", "types=nothing", "types=messageXnew"]
)
def test_bad_parameters_are_named(account: Account, query: str) -> None:
    """422, with the parameter."""
    document = problem(account.get(f"/events?{query}"), 422, "validation_failed")
    assert document["errors"][0]["parameter"] == query.partition("=")[0]


def test_the_cursor_of_another_account_is_refused(account: Account, new_account: Callable[..., Account]) -> None:
    """And would show nothing of it."""
    account.make_conversation()
    cursor = read(account)[1]["nextCursor"]
    problem(new_account().get(f"/events?after={cursor}"), 422, "validation_failed")
