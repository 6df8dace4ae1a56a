"""Catch-up over HTTP: all of it, once, in order, also what commits late; waiting is free and ends at the event."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from psycopg.rows import DictRow
from werkzeug.test import TestResponse

from gateway import event_cursors, event_waiters
from gateway.db import connect
from gateway.event_cursors import EventCursor
from gateway.runtime import Runtime
from gateway.store import events as store
from tests.factories import append_message, make_conversation, make_user
from tests.integration.gateway.conftest import Account, data, problem
from tests.waiting import wait_for


def _read(account: Account, after: str | None = None, **query: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return one page's events and pagination."""
    words = [f"{name}={quote(str(value))}" for name, value in query.items()]
    words += [f"after={after}"] if after else []
    answer = account.get("/events?" + "&".join(words))
    assert answer.status_code == 200, answer.text
    return data(answer), answer.get_json()["pagination"]


def _contents(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["content"] for event in events if event["type"] == "message.new"]


def _drain(account: Account, after: str | None, limit: int) -> tuple[list[dict[str, Any]], str]:
    found: list[dict[str, Any]] = []
    while True:
        events, pagination = _read(account, after, limit=limit)
        assert len(events) <= limit
        found += events
        after = pagination["nextCursor"]
        assert isinstance(after, str)
        if not pagination["hasMore"]:
            return found, after


def test_an_event_has_the_body_of_a_webhook(account: Account) -> None:
    """Type, time, place in the log and in the conversation, and the payload that every side gets."""
    conversation = account.make_conversation()
    message = account.send(conversation, "hello")
    (created, sent), pagination = _read(account)
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
    found, cursor = _drain(account, None, limit)
    assert _contents(found) == [f"m{index}" for index in range(8)]
    assert len({event["eventId"] for event in found}) == len(found) == 9
    nothing, cursor = _drain(account, cursor, limit)
    assert nothing == []
    assert _drain(account, cursor, limit) == ([], cursor)  # and while nothing happens it stays the same
    account.send(mine, "later")
    assert _contents(_drain(account, cursor, limit)[0]) == ["later"]


def test_a_late_commit_is_shown_and_stalls_nobody(
    account: Account, gateway_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """A lower id that commits later comes with the next page; what was committed meanwhile did not wait for it."""
    slow_one, other = make_conversation(conn, account.id), make_conversation(conn, account.id)
    with psycopg.connect(gateway_url) as slow:
        append_message(slow, slow_one, "late")  # has its id, is not committed
        append_message(conn, other, "first")
        events, pagination = _read(account)
        assert _contents(events) == ["first"]
        assert _read(account, pagination["nextCursor"])[0] == []
        append_message(conn, other, "second")
        events, pagination = _read(account, pagination["nextCursor"])
        assert _contents(events) == ["second"]
        slow.commit()
    append_message(conn, other, "third")
    events, pagination = _read(account, pagination["nextCursor"])
    assert _contents(events) == ["late", "third"]
    assert _read(account, pagination["nextCursor"])[0] == []


def test_a_writer_that_began_after_the_last_commit_is_not_lost(
    account: Account, gateway_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """A snapshot's xmax is one past the newest *ended* transaction: a later one may hold a lower id already."""
    slow_one, other = make_conversation(conn, account.id), make_conversation(conn, account.id)
    with psycopg.connect(gateway_url) as early, psycopg.connect(gateway_url) as slow:
        early.execute("select pg_current_xact_id()")  # the older transaction id …
        append_message(slow, slow_one, "late")
        append_message(early, other, "first")  # … takes the higher id of the log
        early.commit()  # nothing younger has ended, so nothing younger is below the snapshot's xmax
        events, pagination = _read(account)
        assert _contents(events) == ["first"]
        again, pagination = _read(account, pagination["nextCursor"])
        assert again == []
        slow.commit()
    assert _contents(_read(account, pagination["nextCursor"])[0]) == ["late"]


def test_what_was_rolled_back_is_not_waited_for(
    account: Account, gateway_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Its id stays missing for ever, and nobody minds."""
    conversation, other = make_conversation(conn, account.id), make_conversation(conn, account.id)
    with psycopg.connect(gateway_url) as gone:
        append_message(gone, conversation, "never")
        append_message(conn, other, "first")
        events, pagination = _read(account)
        gone.rollback()
    append_message(conn, other, "second")
    events, pagination = _read(account, pagination["nextCursor"])
    assert _contents(events) == ["second"]
    assert len(pagination["nextCursor"]) < 40


def test_a_long_transaction_leaves_the_cursor_small(
    account: Account, gateway_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """It is one number in the cursor, however much is written meanwhile."""
    conversation = make_conversation(conn, account.id)
    with psycopg.connect(gateway_url) as long_one:
        long_one.execute("select pg_current_xact_id()")
        cursor = None
        for index in range(30):
            append_message(conn, conversation, f"m{index}")
            events, pagination = _read(account, cursor)
            assert _contents(events) == [f"m{index}"]
            cursor = pagination["nextCursor"]
        assert cursor is not None
        assert len(cursor) < 60


def test_more_late_events_than_a_page_holds_are_all_shown(
    account: Account, gateway_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Then some may be shown twice, by the same eventId, and none is missing."""
    slow_one, other = make_conversation(conn, account.id), make_conversation(conn, account.id)
    with psycopg.connect(gateway_url) as slow:
        for index in range(7):
            append_message(slow, slow_one, f"late{index}")
        append_message(conn, other, "first")
        events, pagination = _read(account)
        slow.commit()
    found, _ = _drain(account, pagination["nextCursor"], 3)
    late = list(dict.fromkeys(content for content in _contents(found) if content.startswith("late")))
    assert late == [f"late{index}" for index in range(7)]
    assert _contents(events) == ["first"]


STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "commit", "rollback", "write", "read"]), st.integers(0, 3)), max_size=40
)


@limits(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, limit=st.integers(5, 20))
def test_any_interleaving_gives_everything_once_and_in_order(
    steps: list[tuple[str, int]],
    limit: int,
    account: Account,
    gateway_url: str,
    conn: psycopg.Connection[DictRow],
) -> None:
    """Four writers that begin, write, commit and roll back at will, and a consumer that reads whenever it likes."""
    conversations = [make_conversation(conn, account.id) for _ in range(4)]
    cursor = _read(account, "latest")[1]["nextCursor"]
    writers = [psycopg.connect(gateway_url) for _ in range(4)]
    seen: list[dict[str, Any]] = []
    written: list[list[str]] = [[] for _ in writers]
    kept: list[str] = []
    try:
        for number, (step, who) in enumerate(steps):
            match step:
                case "begin":
                    writers[who].execute("select pg_current_xact_id()")
                case "write":
                    append_message(writers[who], conversations[who], f"{who}-{number}")
                    written[who].append(f"{who}-{number}")
                case "commit" | "rollback":
                    writers[who].commit() if step == "commit" else writers[who].rollback()
                    kept += written[who] if step == "commit" else []
                    written[who].clear()
                case _:
                    events, pagination = _read(account, cursor, limit=limit)
                    seen += events
                    cursor = pagination["nextCursor"]
    finally:
        for writer in writers:
            writer.rollback()
            writer.close()
    seen += _drain(account, cursor, limit)[0]
    assert sorted(set(_contents(seen))) == sorted(kept)
    # Below a page's room for late events nothing comes twice.
    if len(kept) < limit:
        assert len(seen) == len(kept)
    first_seen = list(dict.fromkeys((event["data"]["conversationId"], event["conversationSeq"]) for event in seen))
    for conversation in conversations:
        seqs = [seq for place, seq in first_seen if place == conversation]
        assert seqs == sorted(seqs)


def test_types_narrow_the_pages(account: Account) -> None:
    """Only those asked for; the cursor moves past the others."""
    conversation = account.make_conversation()
    message = account.send(conversation)
    account.patch(f"/conversations/{conversation}/messages/{message['id']}/status", {"status": "sent"})
    events, pagination = _read(account, types="message.status,conversation.new")
    assert [event["type"] for event in events] == ["conversation.new", "message.status"]
    assert _read(account, pagination["nextCursor"])[0] == []


def test_latest_is_where_state_is_fetched_from(account: Account) -> None:
    """A cursor taken before the state is fetched misses nothing that comes after."""
    conversation = account.make_conversation()
    events, pagination = _read(account, "latest")
    assert events == []
    account.send(conversation, "after")
    assert _contents(_read(account, pagination["nextCursor"])[0]) == ["after"]


def test_a_cursor_below_the_retention_is_gone(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """410 with the oldest cursor that works, and that one works."""
    conversation = account.make_conversation()
    old = _read(account, limit=1)[1]["nextCursor"]
    account.send(conversation)
    conn.execute("update crossfade.event_floor set id = (select max(id) from chat_events)")
    account.send(conversation, "kept")
    try:
        document = problem(account.get(f"/events?after={old}"), 410, "cursor_expired")
        assert _contents(_read(account, document["oldestCursor"])[0]) == ["kept"]
        assert _contents(_read(account)[0]) == ["kept"]
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
    cursor = _read(account)[1]["nextCursor"]
    problem(new_account().get(f"/events?after={cursor}"), 422, "validation_failed")


def test_a_consumer_that_waits_is_woken_by_the_event(app: Flask, account: Account) -> None:
    """It holds no connection meanwhile, and what it gets is the event."""
    conversation = account.make_conversation()
    cursor = _read(account)[1]["nextCursor"]
    waiters = Runtime.of(app).event_waiters
    answers: list[TestResponse] = []
    thread = threading.Thread(target=lambda: answers.append(account.get(f"/events?after={cursor}&wait=20")))
    thread.start()
    wait_for(lambda: waiters.count == 1, "the consumer to wait")
    account.send(conversation, "at last")
    thread.join(10)
    assert _contents(data(answers[0])) == ["at last"]
    assert waiters.count == 0


def test_a_consumer_looks_by_itself_where_nothing_is_heard(
    app: Flask, account: Account, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a pooler, say, no notification arrives; the event does, a little later."""
    monkeypatch.setattr(event_waiters, "POLL_S", 0.2)
    conversation = account.make_conversation()
    cursor = _read(account)[1]["nextCursor"]
    answers: list[TestResponse] = []
    thread = threading.Thread(target=lambda: answers.append(account.get(f"/events?after={cursor}&wait=20")))
    conn.execute("alter table chat_events disable trigger announce_events")
    try:
        thread.start()
        wait_for(lambda: Runtime.of(app).event_waiters.count == 1, "the consumer to wait")
        account.send(conversation, "unannounced")
        thread.join(10)
    finally:
        conn.execute("alter table chat_events enable trigger announce_events")
    assert _contents(data(answers[0])) == ["unannounced"]


def test_all_who_wait_at_one_place_ask_the_same(
    account: Account, gateway_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Whatever was under way when their cursors were made; else each of hundreds would need a read of its own."""
    elsewhere = make_conversation(conn, make_user(conn))
    account.make_conversation()
    with psycopg.connect(gateway_url) as slow, connect(gateway_url, "test") as connection:
        append_message(slow, elsewhere, "not mine")
        before = store.find_ends(connection).newest
        slow.commit()
        after = replace(before, unfinished=store.find_ends(connection).newest.unfinished)
        pages = [store.read_events(connection, account.id, start, types=None, limit=10) for start in (before, after)]
    assert before.unfinished != after.unfinished
    assert [page.items for page in pages] == [(), ()]
    assert pages[0].resting == pages[1].resting == replace(before, unfinished=())


def test_an_event_of_another_account_wakes_nobody(
    app: Flask, account: Account, new_account: Callable[..., Account]
) -> None:
    """The wait ends by time, with an empty page and a cursor that goes on."""
    other = new_account()
    conversation, theirs = account.make_conversation(), other.make_conversation()
    cursor = _read(account)[1]["nextCursor"]
    other.send(theirs)
    events, pagination = _read(account, cursor, wait=1)
    assert events == []
    account.send(conversation, "mine")
    assert _contents(_read(account, pagination["nextCursor"])[0]) == ["mine"]
