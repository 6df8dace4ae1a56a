"""Realtime goes away and comes back: the official client hears live all that was written meanwhile, once per id."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.relay.loop import Relay
from realtime_bridge.rollout import keeper
from realtime_bridge.shared.topics import conversation_topic, inbox_topic
from realtime_bridge.supabase.database import DatabaseTransport, find_readers
from realtime_bridge.supabase.probe import way
from realtime_bridge.supabase.probe.way import AWAY, BACK, HOLD_S, Way
from realtime_bridge.supabase.sink import RealtimeService, SupabaseSink
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user
from tests.integration.bridge.supabase.live import LocalSupabase, all_heard, listening
from tests.integration.rollout.keeping import keeping
from tests.integration.rollout.stages import put_stage
from tests.integration.rollout.test_notices import told
from tests.relays import open_pool, running
from tests.waiting import eventually

SLOT_DELAY_S = 1.5  # hosted it is some ten; what is written meanwhile is never broadcast, however long it takes


@contextlib.asynccontextmanager
async def bridge(database_url: str, *, hold_s: float) -> AsyncIterator[Way]:
    """What the bridge runs to carry events to Supabase through the database."""
    ours = Way(hold_s=hold_s, find_readers=find_readers)
    sink = SupabaseSink(RealtimeService(DatabaseTransport(ours)), ours)
    async with open_pool(database_url) as pool, running(Relay(sink=sink, pool=pool, owner="test", echo=ours)):
        yield ours


@pytest.fixture
def account(conn: psycopg.Connection[DictRow]) -> UUID:
    return make_user(conn)


@pytest.fixture
def conversation_id(conn: psycopg.Connection[DictRow], account: UUID) -> int:
    return make_conversation(conn, account)


def write(conn: psycopg.Connection[DictRow], conversation_id: int, count: int) -> None:
    for number in range(count):
        append_message(conn, conversation_id, str(number))


def state(conn: psycopg.Connection[DictRow]) -> DictRow:
    query = "select delivered_count, waiting_for, sent_again, sent_again_at from relay_cursors where sink = 'supabase'"
    return one(conn, query)


@pytest.mark.parametrize("hold_s", [HOLD_S, 0.0], ids=["events wait", "nobody seemed to listen"])
def test_what_is_written_before_the_slot_is_back_is_heard(
    database_url: str,
    admin_url: str,
    conn: psycopg.Connection[DictRow],
    account: UUID,
    conversation_id: int,
    hold_s: float,
) -> None:
    """Away, back, joined, and only then a slot: what was written in each of these times is heard, in order."""
    topic = conversation_topic(conversation_id)

    async def scenario() -> None:
        supabase = LocalSupabase(admin_url)
        await supabase.start()
        try:
            async with bridge(database_url, hold_s=hold_s) as _:
                async with listening(supabase, account, topic) as before:
                    write(conn, conversation_id, 5)
                    await all_heard(before, topic, 5)
                    await supabase.stop()
                write(conn, conversation_id, 50)
                if hold_s:
                    await eventually(lambda: state(conn)["waiting_for"], "status to tell that events wait")
                else:
                    await eventually(lambda: state(conn)["delivered_count"] == 55, "what nobody hears")
                await supabase.start(slot_delay_s=SLOT_DELAY_S)
                async with listening(supabase, account, topic) as listener:
                    write(conn, conversation_id, 50)
                    await eventually(lambda: 105 in listener.seqs(topic), "the newest", 30)
                    write(conn, conversation_id, 5)
                    await eventually(lambda: 110 in listener.seqs(topic), "what comes after", 30)
                    shown = [seq for seq in listener.first_heard(topic) if seq > 5]
                    assert shown == list(range(6, 111))
                await eventually(lambda: state(conn)["waiting_for"] is None, "status to be calm again")
                assert state(conn)["sent_again"] >= (0 if hold_s else 50)
                assert state(conn)["delivered_count"] == 110, "each is counted once"
        finally:
            await supabase.stop()

    asyncio.run(scenario())


def test_what_was_on_its_way_when_the_slot_ended_is_heard(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow], account: UUID, conversation_id: int
) -> None:
    """Written to a slot whose reader reads no more, and which then is gone: sent again without another message."""
    topic = conversation_topic(conversation_id)

    async def scenario() -> None:
        supabase = LocalSupabase(admin_url)
        await supabase.start()
        try:
            async with bridge(database_url, hold_s=HOLD_S):
                async with supabase.deaf():
                    write(conn, conversation_id, 20)
                    await eventually(lambda: state(conn)["delivered_count"] == 20, "what is written and not read")
                    await supabase.stop()
                await supabase.start(slot_delay_s=SLOT_DELAY_S)
                async with listening(supabase, account, topic) as listener:
                    await all_heard(listener, topic, 20)
                    assert listener.first_heard(topic) == list(range(1, 21))
                await eventually(lambda: state(conn)["sent_again"] == 20, "status to tell")
                assert state(conn)["sent_again_at"] is not None
        finally:
            await supabase.stop()

    asyncio.run(scenario())


def test_what_was_on_its_way_when_both_ended_is_sent_by_the_next_bridge(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow], account: UUID, conversation_id: int
) -> None:
    """What is unheard stands beside the cursor: a bridge that ends takes nothing with it, and alone repeats nothing."""
    topic = conversation_topic(conversation_id)

    async def scenario() -> None:
        supabase = LocalSupabase(admin_url)
        await supabase.start()
        try:
            async with bridge(database_url, hold_s=HOLD_S):
                write(conn, conversation_id, 5)
                await eventually(lambda: state(conn)["delivered_count"] == 5, "what is heard")
            async with bridge(database_url, hold_s=HOLD_S):
                async with supabase.deaf():
                    write(conn, conversation_id, 5)
                    await eventually(lambda: state(conn)["delivered_count"] == 10, "what is written and not read")
                assert state(conn)["sent_again"] == 0, "the same reader has heard all of the bridge before"
            await supabase.stop()
            await supabase.start()
            async with listening(supabase, account, topic) as listener, bridge(database_url, hold_s=HOLD_S):
                await all_heard(listener, topic, 10)
        finally:
            await supabase.stop()

    asyncio.run(scenario())


def test_a_first_message_right_after_the_first_join_is_heard(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow], account: UUID, conversation_id: int
) -> None:
    """A project that slept: somebody joins, a message is written at once, and the slot is made only then."""
    topic = conversation_topic(conversation_id)

    async def scenario() -> None:
        async with bridge(database_url, hold_s=0.0):
            write(conn, conversation_id, 1)
            await eventually(lambda: state(conn)["delivered_count"] == 1, "what nobody hears")
            supabase = LocalSupabase(admin_url)
            await supabase.start(slot_delay_s=SLOT_DELAY_S)
            try:
                async with listening(supabase, account, topic) as listener:
                    write(conn, conversation_id, 1)
                    await eventually(lambda: 2 in listener.seqs(topic), "the first message", 20)
                    assert listener.first_heard(topic) == [1, 2]
                    assert state(conn)["sent_again"] == 2
            finally:
                await supabase.stop()

    asyncio.run(scenario())


def test_the_first_message_waits_no_longer_than_for_the_slot(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow], account: UUID, conversation_id: int
) -> None:
    """All is heard, and what comes next waits for a reader: the one that comes is seen though nothing is unheard."""
    topic = conversation_topic(conversation_id)

    async def scenario() -> None:
        async with bridge(database_url, hold_s=HOLD_S) as ours:
            write(conn, conversation_id, 1)
            await eventually(lambda: ours._unread_since is not None, "nobody to be seen reading")
            ours.hear(time.monotonic() + 1)
            write(conn, conversation_id, 1)
            await eventually(lambda: state(conn)["waiting_for"] == AWAY, "the first message to wait")
            supabase = LocalSupabase(admin_url)
            await supabase.start(slot_delay_s=SLOT_DELAY_S)
            try:
                async with listening(supabase, account, topic) as listener:
                    await eventually(lambda: 2 in listener.seqs(topic), "the first message", 20)
            finally:
                await supabase.stop()

    asyncio.run(scenario())


def test_clients_are_given_time_to_join_again(
    database_url: str,
    admin_url: str,
    conn: psycopg.Connection[DictRow],
    account: UUID,
    conversation_id: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slot that is back at once finds nobody joined: what waited is sent when clients have had their moment."""
    topic = conversation_topic(conversation_id)

    async def scenario() -> None:
        supabase = LocalSupabase(admin_url)
        await supabase.start()
        try:
            monkeypatch.setattr(way, "settle_s", lambda _away_s: 60.0)
            async with bridge(database_url, hold_s=HOLD_S) as ours:
                write(conn, conversation_id, 1)
                await eventually(lambda: state(conn)["delivered_count"] == 1, "the first")
                await supabase.stop()
                write(conn, conversation_id, 3)
                await eventually(lambda: state(conn)["waiting_for"] == AWAY, "status to tell that events wait")
                await supabase.start()
                await eventually(lambda: state(conn)["waiting_for"] == BACK, "status to tell what it waits for")
                async with listening(supabase, account, topic) as listener:
                    ours._open_at = 0.0
                    await eventually(lambda: 4 in listener.seqs(topic), "the newest")
                    assert listener.first_heard(topic) == [1, 2, 3, 4]
        finally:
            await supabase.stop()

    asyncio.run(scenario())


def test_what_is_heard_after_the_return_says_nothing_of_before(
    database_url: str,
    admin_url: str,
    conn: psycopg.Connection[DictRow],
    account: UUID,
    conversation_id: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A probe that comes out of the new slot is no proof for what went into the old one: that is sent again."""
    topic = conversation_topic(conversation_id)

    async def scenario() -> None:
        supabase = LocalSupabase(admin_url)
        await supabase.start()
        try:
            monkeypatch.setattr(way, "settle_s", lambda _away_s: 60.0)
            async with bridge(database_url, hold_s=HOLD_S) as ours:
                async with supabase.deaf():
                    write(conn, conversation_id, 2)
                    await eventually(lambda: state(conn)["delivered_count"] == 2, "what is written and not read")
                    await supabase.stop()
                await supabase.start()
                await eventually(lambda: ours._open_at > time.monotonic(), "the new slot to be seen")
                ours.hear(time.monotonic() + 10)
                async with listening(supabase, account, topic) as listener:
                    ours._open_at = 0.0
                    await all_heard(listener, topic, 2)
        finally:
            await supabase.stop()

    asyncio.run(scenario())


def test_word_of_the_dial_waits_for_nothing(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who keeps the gate and delivers to no side sends nothing again: its notices go to the next slot all the same."""
    monkeypatch.setattr(keeper, "REPEAT_S", 0.0)
    user = told(conn, "socketio", early=True)
    conn.execute("update rollout_sessions set expires_at = now() + interval '5 minutes'")
    put_stage(conn, "50", minutes_ago=0)

    async def scenario() -> None:
        supabase = LocalSupabase(admin_url)
        transport = DatabaseTransport(Way(hold_s=HOLD_S))
        await supabase.start()
        try:
            async with keeping(database_url, transport) as (gate, _):
                await gate.run_once()
                for _ in range(2):
                    async with listening(supabase, user, inbox_topic(user)) as listener:
                        await gate.announce_once()
                        await eventually(partial(bool, listener.heard), "the notice", 10)
                    await supabase.stop()
                    await supabase.start()
        finally:
            await supabase.stop()

    asyncio.run(scenario())
