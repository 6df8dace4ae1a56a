"""What each side is fed at each stage, over a real log and a real cursor."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.event_log.event import Event
from realtime_bridge.relay.loop import Relay
from realtime_bridge.relay.sink import Feed, SinkNotReady, SinkUnavailable
from realtime_bridge.rollout.dial.bucket import bucket_of
from realtime_bridge.rollout.dial.follower import Dial
from realtime_bridge.rollout.dial.stages import FLAG, Side
from realtime_bridge.rollout.feeds import CohortFeed, DialFeed
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user
from tests.fakes import RecordingSink
from tests.integration.rollout.stages import dial as dialled
from tests.integration.rollout.stages import put_stage
from tests.relays import held_relay, open_pool, run, running
from tests.waiting import eventually


async def read(database_url: str, dial: Dial) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await dial.run_once(connection)


@contextlib.asynccontextmanager
async def fed(database_url: str, sink: RecordingSink, feed: Feed) -> AsyncIterator[Relay]:
    async with held_relay(database_url, sink, feed=feed, page=10) as relay:
        yield relay


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (Side.LEGACY, ["off", "shadow", "10", "100", "back", "end"]),
        (Side.SUPABASE, ["shadow", "10", "100", "complete", "back"]),
    ],
)
def test_a_side_gets_what_its_stages_feed_it_and_goes_on_from_now(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int, side: Side, expected: list[str]
) -> None:
    """What was passed over is never delivered later: not after `off`, not when legacy comes back after `complete`."""

    async def walk() -> None:
        sink, dial = RecordingSink(side.value), Dial(database_url)
        async with fed(database_url, sink, DialFeed(dial, side)) as relay:
            steps = [(label, label) for label in ("off", "shadow", "10", "100", "complete")]
            for label, content in [*steps, ("100", "back"), ("off", "end")]:
                put_stage(conn, label)
                await read(database_url, dial)
                append_message(conn, conversation, content)
                assert await relay.run_once() == 1
        assert sink.contents == expected

    run(walk)


def test_nothing_is_passed_over_before_the_dial_is_known(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """A bridge that has just started waits: passing over cannot be taken back."""
    put_stage(conn, "shadow")

    async def start() -> None:
        sink, dial = RecordingSink("supabase"), Dial(database_url)
        async with fed(database_url, sink, DialFeed(dial, Side.SUPABASE)) as relay:
            append_message(conn, conversation)
            with pytest.raises(SinkNotReady):
                await relay.run_once()
            await read(database_url, dial)
            assert await relay.run_once() == 1
        assert len(sink.events) == 1

    run(start)


def test_a_late_commit_follows_the_stage_in_which_it_appears(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """A row whose id lies below what was passed over is delivered if it becomes visible when the side is fed again."""
    other = make_conversation(conn, make_user(conn))

    async def late() -> None:
        sink, dial = RecordingSink("supabase"), Dial(database_url)
        async with fed(database_url, sink, DialFeed(dial, Side.SUPABASE)) as relay:
            await read(database_url, dial)
            with psycopg.connect(database_url) as slow:
                append_message(slow, other, "late")
                append_message(conn, conversation, "passed over")
                await relay.run_once()
                put_stage(conn, "shadow")
                await read(database_url, dial)
                slow.commit()
            await relay.run_once()
        assert sink.contents == ["late"]

    run(late)


def test_a_side_that_is_switched_off_in_an_outage_comes_back_whole(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """The breaker closes while nothing is fed, the page that failed is passed over, and the next ones go out."""

    async def outage() -> None:
        sink, dial = RecordingSink("supabase"), Dial(database_url)
        put_stage(conn, "10")
        await read(database_url, dial)
        async with fed(database_url, sink, DialFeed(dial, Side.SUPABASE)) as relay:
            sink.unavailable = SinkUnavailable("down")
            append_message(conn, conversation, "never heard")
            for _ in range(6):
                await relay._step()
            assert relay.health.breaker.failures == 6
            put_stage(conn, "off")
            await read(database_url, dial)
            await relay.run_once()
            assert relay.health.breaker.failures == 0
            sink.unavailable = None
            put_stage(conn, "shadow")
            await read(database_url, dial)
            append_message(conn, conversation, "heard")
            await relay.run_once()
        assert sink.contents == ["heard"]

    run(outage)


def test_a_change_of_the_dial_ends_a_back_off(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """A side that asked for a minute's patience is looked at when it is fed again; news of an event do not end that."""

    async def change() -> None:
        sink = RecordingSink("supabase")
        sink.unavailable = SinkUnavailable("down", retry_after_s=60.0)
        async with open_pool(database_url) as pool:
            relay = Relay(sink=sink, pool=pool, owner="test")
            async with running(relay):
                await eventually(lambda: relay.lease, "the lease")
                append_message(conn, conversation, "first")
                await eventually(lambda: relay.health.failures, "the failure")
                sink.unavailable = None
                relay.wake()
                append_message(conn, conversation, "second")
                await asyncio.sleep(0)
                assert sink.contents == []
                relay.retry()
                await eventually(lambda: sink.contents == ["first", "second"], "both")
        assert relay.health.failures == 0

    run(change)


def test_a_running_relay_follows_the_dial(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """From the commit of the change to the first page that obeys it, with nothing but the dial's own listening."""

    async def follow() -> None:
        sink, dial = RecordingSink("supabase"), Dial(database_url)
        async with open_pool(database_url) as pool:
            relay = Relay(sink=sink, pool=pool, owner="test", feed=DialFeed(dial, Side.SUPABASE))
            dial.listen(relay.wake)
            task = asyncio.create_task(dial.run())
            async with running(relay):
                await eventually(lambda: dial.reading, "the dial")
                for label in ("shadow", "off", "25"):
                    put_stage(conn, label)
                    await eventually(lambda: relay.feed.is_open is (dialled(conn)[0] != "off"), "the dial", 5.0)
                    append_message(conn, conversation, label)
                    newest = one(conn, "select max(id) as id from chat_events")["id"]
                    await eventually(partial(has_passed, relay, newest), "the cursor")
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        assert sink.contents == ["shadow", "25"]

    run(follow)


def has_passed(relay: Relay, event_id: int) -> bool:
    return relay.lease is not None and relay.lease.cursor.high_water >= event_id


def early_user(conn: psycopg.Connection[DictRow], below: int, *, is_in: bool) -> UUID:
    return next(user for user in iter(lambda: make_user(conn), None) if (bucket_of(FLAG, user) < below) is is_in)


def test_a_cohort_pays_only_for_conversations_with_a_member_in_it(
    database_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """And for the canary's; raising the percentage adds conversations, complete feeds them all."""
    inside, outside = early_user(conn, 2_500, is_in=True), early_user(conn, 2_500, is_in=False)
    canary = make_user(conn)
    with_member = make_conversation(conn, outside, inside)
    without = make_conversation(conn, outside)
    measured = make_conversation(conn, canary)

    def is_canary(event: Event) -> bool:
        return event.account_id == canary

    async def count() -> None:
        sink, dial = RecordingSink("supabase"), Dial(database_url)
        async with fed(database_url, sink, CohortFeed(dial, always=is_canary)) as relay:
            for label in ("off", "shadow", "25", "100", "complete"):
                put_stage(conn, label)
                await read(database_url, dial)
                for place, name in ((with_member, "with"), (without, "without"), (measured, "canary")):
                    append_message(conn, place, f"{label} {name}")
                assert await relay.run_once() == 3
        assert [content for content in sink.contents if "canary" not in content] == [
            *("25 with", "100 with", "100 without", "complete with", "complete without")
        ]
        assert sum("canary" in content for content in sink.contents) == 4

    run(count)


def test_a_partly_fed_page_that_fails_stops_before_its_first_untried_event(
    database_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Events that are not chosen are passed over up to there, and the failed one is tried again."""
    inside, outside = early_user(conn, 2_500, is_in=True), early_user(conn, 2_500, is_in=False)
    with_member, without = make_conversation(conn, outside, inside), make_conversation(conn, outside)
    put_stage(conn, "25")

    async def fail() -> None:
        sink, dial = RecordingSink("supabase"), Dial(database_url)
        await read(database_url, dial)
        async with fed(database_url, sink, CohortFeed(dial)) as relay:
            append_message(conn, with_member, "first")
            append_message(conn, without, "passed over")
            append_message(conn, with_member, "second")
            sink.unavailable = SinkUnavailable("down")
            with pytest.raises(SinkUnavailable):
                await relay.run_once()
            sink.unavailable = None
            assert await relay.run_once() == 3
        assert sink.contents == ["first", "second"]

    run(fail)
