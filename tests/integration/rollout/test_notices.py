"""Whose answer has changed is asked to ask again, until that has happened."""

from uuid import UUID

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.rollout import announcer, keeper
from realtime_bridge.rollout.announcer import Announcer
from realtime_bridge.rollout.dial.bucket import bucket_of
from realtime_bridge.rollout.gate import store
from tests.factories import make_user
from tests.integration.rollout.keeping import RecordingTransport, judge_once, keeping
from tests.integration.rollout.stages import FLAG, put_stage
from tests.relays import run


def told(conn: psycopg.Connection[DictRow], provider: str, early: bool) -> UUID:
    """A user who holds an answer; `early` is in the first half of the buckets."""
    user = next(user for user in iter(lambda: make_user(conn), None) if (bucket_of(FLAG, user) < 5_000) is early)
    conn.execute(
        "insert into rollout_sessions (user_id, account_id, provider, expires_at) values (%s, %s, %s, now())",
        (user, user, provider),
    )
    return user


def test_those_whose_answer_changed_are_asked_to_ask_again(
    database_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Nobody else, with the version; also after an override."""
    early, late = told(conn, "socketio", early=True), told(conn, "socketio", early=False)
    transport = RecordingTransport()
    judge_once(database_url, transport)
    assert transport.sent == []
    version = put_stage(conn, "50", minutes_ago=0)
    judge_once(database_url, transport)
    (notice,) = transport.sent
    assert (notice.topic, notice.event) == (f"user:{early}:inbox", "rollout.changed")
    assert notice.payload == {"flag": FLAG, "version": version, "eventId": str(notice.id)}
    judge_once(database_url, transport)
    assert len(transport.sent) == 1, "its token has run out: it asks by itself, or is gone"
    conn.execute("update rollout_sessions set provider = 'supabase' where user_id = %s", (early,))
    conn.execute("insert into rollout_overrides values (%s, 'user', %s, 'supabase', 'w', 'me')", (FLAG, late))
    judge_once(database_url, transport)
    assert [notice.topic for notice in transport.sent[1:]] == [f"user:{late}:inbox"]


def test_who_has_not_asked_is_told_again(
    database_url: str, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A side that takes nothing is left alone for this time; the notice comes again until the client has asked."""
    monkeypatch.setattr(announcer, "BATCH", 1)
    monkeypatch.setattr(keeper, "REPEAT_S", 0.0)
    for _ in range(3):
        told(conn, "socketio", early=True)
    conn.execute("update rollout_sessions set expires_at = now() + interval '1 minute'")
    put_stage(conn, "50", minutes_ago=0)
    transport = RecordingTransport()
    transport.failures = 1
    heard = []

    async def announce() -> None:
        async with keeping(database_url, transport) as (one, _):
            await one.run_once()
            for _ in range(3):
                await one.announce_once()
                heard.append(len(transport.sent))
            conn.execute("update rollout_sessions set provider = 'supabase'")
            await one.announce_once()
            await one.announce_once()

    run(announce)
    assert heard == [0, 3, 6]
    assert len(transport.sent) == 6


@pytest.mark.parametrize("takes_over", [False, True])
def test_who_was_given_the_old_answer_just_after_the_notices_is_told(
    database_url: str, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch, takes_over: bool
) -> None:
    """The first round found nobody, the second does, of the same keeper or of its successor; then it is over."""
    monkeypatch.setattr(keeper, "REPEAT_S", 0.0)
    put_stage(conn, "50", minutes_ago=0)
    transport = RecordingTransport()
    heard = []

    async def announce() -> None:
        async with keeping(database_url, transport) as (one, _):
            if takes_over:
                async with (
                    keeping(database_url, transport, owner="two") as (other, pool),
                    pool.connection() as connection,
                ):
                    await other.run_once()
                    await other.announce_once()
                    await store.release(connection, FLAG, "two")
            await one.run_once()
            await one.announce_once()
            for answer in ("socketio", "supabase", "socketio"):
                if answer == "socketio":
                    told(conn, answer, early=True)
                conn.execute("update rollout_sessions set provider = %s, expires_at = now() + '1 minute'", (answer,))
                await one.announce_once()
                heard.append(len(transport.sent))

    run(announce)
    assert heard == [1, 1, 1]


def test_a_side_that_broke_off_may_have_left_somebody(
    database_url: str, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those behind a refused batch nothing is known, so they count as one who can answer."""
    monkeypatch.setattr(announcer, "BATCH", 1)
    told(conn, "socketio", early=True)
    put_stage(conn, "50", minutes_ago=0)
    transport = RecordingTransport()
    counts = []

    async def announce() -> None:
        async with keeping(database_url, transport) as (one, pool):
            await one.run_once()
            reading = one.dial.reading
            assert reading is not None
            for transport.failures in (1, 0):
                announced = await Announcer(pool, transport=transport, legacy=None).announce(reading)
                counts.append(announced.may_answer)

    run(announce)
    assert counts == [1, 0]
