"""Waiting for events is free, and ends at the event."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from psycopg.rows import DictRow
from werkzeug.test import TestResponse

from gateway.database import connect
from gateway.live import event_waiters
from gateway.process.runtime import Runtime
from gateway.store import events as store
from tests.factories import append_message, make_conversation, make_user
from tests.integration.gateway.conftest import Account, data
from tests.integration.gateway.events.pages import contents, read
from tests.waiting import wait_for


def test_a_consumer_that_waits_is_woken_by_the_event(app: Flask, account: Account) -> None:
    """It holds no connection meanwhile, and what it gets is the event."""
    conversation = account.make_conversation()
    cursor = read(account)[1]["nextCursor"]
    waiters = Runtime.of(app).event_waiters
    answers: list[TestResponse] = []
    thread = threading.Thread(target=lambda: answers.append(account.get(f"/events?after={cursor}&wait=20")))
    thread.start()
    wait_for(lambda: waiters.count == 1, "the consumer to wait")
    account.send(conversation, "at last")
    thread.join(10)
    assert contents(data(answers[0])) == ["at last"]
    assert waiters.count == 0


def test_a_consumer_looks_by_itself_where_nothing_is_heard(
    app: Flask, account: Account, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a pooler, say, no notification arrives; the event does, a little later."""
    monkeypatch.setattr(event_waiters, "POLL_S", 0.2)
    conversation = account.make_conversation()
    cursor = read(account)[1]["nextCursor"]
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
    assert contents(data(answers[0])) == ["unannounced"]


def test_those_who_wait_are_not_counted_over_for_each_commit(
    app: Flask, conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """Whether a client is still there is asked twice a second, however many commits of others are heard."""
    asked = []

    class Client:
        def fileno(self) -> int:
            asked.append(time.monotonic())
            return -1

    waiters, others, heard = Runtime.of(app).event_waiters, uuid4(), 0
    with waiters.waiting(uuid4(), 20, Client()), waiters.waiting(others, 20) as waiter:
        wait_for(lambda: asked, "the first look")
        began = time.monotonic()
        while time.monotonic() < began + 2 * event_waiters.CHECK_S:
            conn.execute("select pg_notify('chat_events', %s)", (str(others),))
            heard += waiter._event.wait(5)
            waiter._event.clear()
        most = (time.monotonic() - began) / event_waiters.CHECK_S + 1
    assert heard > 3 * most
    assert len([moment for moment in asked if moment > began]) <= most


def test_all_who_wait_at_one_place_ask_the_same(
    account: Account, gateway_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Whatever was under way when their cursors were made; else each of hundreds would need a read of its own."""
    elsewhere = make_conversation(conn, make_user(conn))
    account.make_conversation()
    with psycopg.connect(gateway_url) as slow, connect(gateway_url, "test") as connection:
        append_message(slow, elsewhere, "not mine")
        before = store.find_ends(connection)[1]
        slow.commit()
        after = replace(before, unfinished=store.find_ends(connection)[1].unfinished)
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
    cursor = read(account)[1]["nextCursor"]
    other.send(theirs)
    events, pagination = read(account, cursor, wait=1)
    assert events == []
    account.send(conversation, "mine")
    assert contents(read(account, pagination["nextCursor"])[0]) == ["mine"]
