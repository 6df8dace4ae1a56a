"""Relays share what one of them has read, and are told how far the log goes instead of reading it over and over."""

import asyncio
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.event_log import reading
from realtime_bridge.event_log.cursor import Cursor, Hole
from realtime_bridge.event_log.reading import Pages
from realtime_bridge.event_log.wakeup import Wakeup
from realtime_bridge.relay import loop
from realtime_bridge.relay.loop import Relay
from realtime_bridge.webhooks.sink import WebhookSink
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user
from tests.relays import open_pool, running
from tests.waiting import eventually

Conn = psycopg.Connection[DictRow]
FOR_EVER_S = 600.0
JOIN = "insert into conversation_participants (conversation_id, user_id, role) values (%s, %s, 'client')"


def test_who_stands_at_the_same_place_gets_the_same_page(database_url: str, conn: Conn) -> None:
    """At the same moment, too; neither another place nor a smaller page, nor what is no longer of now."""
    conversation = make_conversation(conn, make_user(conn))
    for _ in range(3):
        append_message(conn, conversation)
    now = [0.0]
    start, hole = Cursor(high_water=0), Hole(first=1, last=1, xmax=9)

    async def scenario() -> None:
        async with open_pool(database_url) as pool, pool.connection() as mine, pool.connection() as theirs:
            pages = Pages(clock=lambda: now[0])

            async def read(
                cursor: Cursor, limit: int = 100, *, other: bool = False, not_before: float = 0.0
            ) -> reading.Page:
                return await pages.read(theirs if other else mine, cursor, limit, 20_000, not_before=not_before)

            first, second = await asyncio.gather(read(start), read(start, other=True))
            assert first is second
            assert [event.seq for event in first.events if event.type == "message.new"] == [1, 2, 3]
            assert (await read(start, limit=1)).events == first.events[:1]
            later = await read(Cursor(high_water=1, holes=(hole,)))
            assert later.events == first.events, "the hole's and the others, by a read of its own"
            assert await read(Cursor(high_water=1)) is not later
            last = await read(start)
            stranger = make_user(conn)
            conn.execute(JOIN, (conversation, stranger))
            assert await read(start) is last
            now[0] += 0.01
            assert (await read(start, not_before=now[0])) is not last, "there was news since"
            last = await read(start)
            pages._under_way[0, ()] = asyncio.Event()
            now[0] += 1.0
            assert stranger in (await read(start)).events[-1].participants, "asked again, and waiting for no other"

    asyncio.run(scenario())


def test_a_page_with_more_behind_it_is_nobody_elses(database_url: str, conn: Conn) -> None:
    """Nor is an empty one: there may be something by now."""
    conversation = make_conversation(conn, make_user(conn))
    for _ in range(2):
        append_message(conn, conversation)
    newest = int(one(conn, "select max(id) as id from chat_events")["id"])

    async def scenario() -> None:
        async with open_pool(database_url) as pool, pool.connection() as connection:
            pages = Pages(clock=lambda: 0.0)
            cut = await pages.read(connection, Cursor(high_water=0), 1, 1)
            assert cut.first_left is not None
            assert len((await pages.read(connection, Cursor(high_water=0), 100, 100)).events) > 1
            assert (await pages.read(connection, Cursor(high_water=newest), 100, 100)).events == ()
            append_message(conn, conversation)
            assert len((await pages.read(connection, Cursor(high_water=newest), 100, 100)).events) == 1

    asyncio.run(scenario())


def test_a_lost_notification_costs_one_look(
    database_url: str, conn: Conn, admin_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told of an event, nor looks by himself: its id is seen, also when it is committed long after."""
    conversation = make_conversation(conn, make_user(conn))
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("alter table chat_events disable trigger user")

    def is_dealt_with() -> bool:
        row = one(conn, "select high_water, holes from relay_cursors where sink = 'webhooks'")
        newest = one(conn, "select coalesce(max(id), 0) as id from chat_events")["id"]
        return bool(row["high_water"] >= newest and row["holes"] == [])

    async def scenario() -> None:
        async with open_pool(database_url) as pool:
            relay = Relay(sink=WebhookSink(), pool=pool, owner=str(uuid4()))
            asking = asyncio.create_task(Wakeup(database_url, {}, [relay.grown]).run())
            async with running(relay):
                await eventually(is_dealt_with, "what lay in the log")
                monkeypatch.setattr(loop, "POLL_S", FOR_EVER_S)
                await asyncio.sleep(1.2)  # the last wait of the usual length is over
                append_message(conn, conversation)
                await eventually(is_dealt_with, "an event of which nobody was told")
                with psycopg.connect(database_url) as slow:
                    other = make_conversation(conn, make_user(conn))
                    append_message(slow, conversation)
                    append_message(conn, other)
                    await asyncio.sleep(1.0)
                    slow.commit()
                await eventually(is_dealt_with, "an event that was committed after a younger one")
            asking.cancel()

    asyncio.run(scenario())
