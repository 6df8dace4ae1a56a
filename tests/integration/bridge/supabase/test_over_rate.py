"""A project that takes less than anybody said: what Realtime drops in silence is found out, and sent again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import DictRow

from ops.local_supabase.settings import CLI_SECRET_KEY
from realtime_bridge.relay.loop import Relay
from realtime_bridge.shared.topics import conversation_topic
from realtime_bridge.supabase.database import DatabaseTransport, find_readers
from realtime_bridge.supabase.http import HttpTransport
from realtime_bridge.supabase.probe.pace import Pace
from realtime_bridge.supabase.probe.path import over_http, through_database
from realtime_bridge.supabase.probe.watch import Watch, topic_of
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.seats import Seats
from realtime_bridge.supabase.sink import RealtimeService, SupabaseSink
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user
from tests.integration.bridge.supabase.live import LocalSupabase, listening, service_key
from tests.relays import open_pool, running
from tests.waiting import eventually

LIMIT_PER_S = 30
NAME = "host:1:over"


@contextlib.asynccontextmanager
async def bridge(database_url: str, supabase: LocalSupabase) -> AsyncIterator[Way]:
    """What the bridge runs to carry events to Supabase and to know what is heard there; nobody told it a plan."""
    way = Way(has_seat=True, find_readers=find_readers)
    http = HttpTransport(supabase_url=supabase.url, secret_key=CLI_SECRET_KEY, rate=way.rate)
    transport = DatabaseTransport(way, http)
    seats = Seats(supabase_url=supabase.url, secret_key=CLI_SECRET_KEY, token=service_key)

    async def tell(_count: int, _reason: str) -> None: ...

    async with open_pool(database_url, size=6) as pool:
        watch = Watch(
            seats=seats,
            name=NAME,
            way=way,
            send_to_database=through_database(pool, topic_of(NAME)),
            send_over_http=over_http(partial(transport.send, connection=None), topic_of(NAME)),
            pace=Pace(
                is_rolling_out=lambda: False,
                last_sent_at=lambda: way.asked_at,
                heard_until=lambda: way.heard_until,
                idle_s=60.0,
            ),
            is_wanted=lambda: True,
            tell=tell,
        )
        sink = SupabaseSink(RealtimeService(transport), way)
        tasks = [asyncio.create_task(part.run()) for part in (seats, watch)]
        try:
            async with running(Relay(sink=sink, pool=pool, owner="test", echo=way)):
                await eventually(lambda: seats.is_joined(topic_of(NAME)), "the seat", 20)
                yield way
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await transport.close()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_what_realtime_drops_over_its_rate_is_heard_later_and_in_order(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """The limit falls while much is written; the server drops and says nothing. The listener has all, in order."""
    account: UUID = make_user(conn)
    conversation_id = make_conversation(conn, account)
    topic = conversation_topic(conversation_id)
    count = 0

    async def scenario() -> None:
        nonlocal count
        supabase = LocalSupabase(admin_url)
        await supabase.start()
        try:
            async with bridge(database_url, supabase) as way, listening(supabase, account, topic) as listener:
                events = supabase.project.context.rates.events
                events.limit_per_s = supabase.project.context.rates.requests.limit_per_s = LIMIT_PER_S
                while not (events.over and count > 500):
                    append_message(conn, conversation_id, str(count))
                    count += 1
                    await asyncio.sleep(0.02)
                    assert count < 3_000, "the server to have too much"
                for _ in range(100):  # of which it drops what is sent before this is known
                    append_message(conn, conversation_id, str(count))
                    count += 1
                await eventually(lambda: way.rate.limit == LIMIT_PER_S, "the limit to be learned", 30)
                await eventually(lambda: set(listener.seqs(topic)) >= set(range(1, count + 1)), "all of it", 150)
                assert listener.first_heard(topic) == list(range(1, count + 1))
        finally:
            await supabase.stop()

    asyncio.run(scenario())
    row = one(conn, "select delivered_count, sent_again from relay_cursors where sink = 'supabase'")
    assert row["delivered_count"] == count
    assert row["sent_again"] > 0
