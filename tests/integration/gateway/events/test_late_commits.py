"""What commits late is shown, once, and stalls nobody."""

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from psycopg.rows import DictRow

from gateway.domain.pages import PAGE_BYTES
from gateway.store import events
from tests.factories import append_message, make_conversation
from tests.integration.gateway.conftest import Account
from tests.integration.gateway.events.pages import contents, drain, read


def test_a_late_commit_is_shown_and_stalls_nobody(
    account: Account, gateway_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """A lower id that commits later comes with the next page; what was committed meanwhile did not wait for it."""
    slow_one, other = make_conversation(conn, account.id), make_conversation(conn, account.id)
    with psycopg.connect(gateway_url) as slow:
        append_message(slow, slow_one, "late")  # has its id, is not committed
        append_message(conn, other, "first")
        shown, pagination = read(account)
        assert contents(shown) == ["first"]
        assert read(account, pagination["nextCursor"])[0] == []
        append_message(conn, other, "second")
        shown, pagination = read(account, pagination["nextCursor"])
        assert contents(shown) == ["second"]
        slow.commit()
    append_message(conn, other, "third")
    shown, pagination = read(account, pagination["nextCursor"])
    assert contents(shown) == ["late", "third"]
    assert read(account, pagination["nextCursor"])[0] == []


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
        shown, pagination = read(account)
        assert contents(shown) == ["first"]
        again, pagination = read(account, pagination["nextCursor"])
        assert again == []
        slow.commit()
    assert contents(read(account, pagination["nextCursor"])[0]) == ["late"]


def test_what_was_rolled_back_is_not_waited_for(
    account: Account, gateway_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Its id stays missing for ever, and nobody minds."""
    conversation, other = make_conversation(conn, account.id), make_conversation(conn, account.id)
    with psycopg.connect(gateway_url) as gone:
        append_message(gone, conversation, "never")
        append_message(conn, other, "first")
        shown, pagination = read(account)
        gone.rollback()
    append_message(conn, other, "second")
    shown, pagination = read(account, pagination["nextCursor"])
    assert contents(shown) == ["second"]
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
            shown, pagination = read(account, cursor)
            assert contents(shown) == [f"m{index}"]
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
        shown, pagination = read(account)
        slow.commit()
    found, _ = drain(account, pagination["nextCursor"], 3)
    late = list(dict.fromkeys(content for content in contents(found) if content.startswith("late")))
    assert late == [f"late{index}" for index in range(7)]
    assert contents(shown) == ["first"]


STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "commit", "rollback", "write", "read"]), st.integers(0, 3)), max_size=40
)


@limits(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, limit=st.integers(5, 20), page_bytes=st.sampled_from([1, 2_000, PAGE_BYTES]))
def test_any_interleaving_gives_everything_once_and_in_order(
    steps: list[tuple[str, int]],
    limit: int,
    page_bytes: int,
    account: Account,
    gateway_url: str,
    conn: psycopg.Connection[DictRow],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four writers that begin, write, commit and roll back at will, and a consumer that reads whenever it likes.

    Pages are as small as one event, or end by their bytes somewhere before their limit.
    """
    monkeypatch.setattr(events, "PAGE_BYTES", page_bytes)
    conversations = [make_conversation(conn, account.id) for _ in range(4)]
    cursor = read(account, "latest")[1]["nextCursor"]
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
                    page, pagination = read(account, cursor, limit=limit)
                    seen += page
                    cursor = pagination["nextCursor"]
    finally:
        for writer in writers:
            writer.rollback()
            writer.close()
    seen += drain(account, cursor, limit)[0]
    assert sorted(set(contents(seen))) == sorted(kept)
    # Below a page's room for late events nothing comes twice.
    if len(kept) < limit and page_bytes > 2_000:
        assert len(seen) == len(kept)
    first_seen = list(dict.fromkeys((event["data"]["conversationId"], event["conversationSeq"]) for event in seen))
    for conversation in conversations:
        seqs = [seq for place, seq in first_seen if place == conversation]
        assert seqs == sorted(seqs)
