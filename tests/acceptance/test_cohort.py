"""CROSSFADE_FEED=cohort: Supabase is sent what its users need and no more, and who joins the cohort misses nothing."""

from pathlib import Path

import psycopg
import pytest
from psycopg.rows import scalar_row

from realtime_bridge.rollout.dial.bucket import bucket_of
from realtime_bridge.rollout.dial.stages import FLAG
from tests.acceptance import rehearsal
from tests.acceptance.rehearsal import Crowds, Users
from tests.acceptance.stack import Stack, running
from tests.waiting import wait_for

USERS, PACE_MS = 8, 300
EACH = 2  # messages in every conversation at a stage

pytestmark = pytest.mark.slow


def test_a_cohort_pays_for_its_own_conversations_and_who_joins_misses_nothing(tmp_path: Path) -> None:
    """At 10 % nothing of a conversation without a member is sent to Supabase; up to 100 % every client sees it all."""
    environment = {"CHAT_REALTIME_PROVIDER": "rollout", "CROSSFADE_FEED": "cohort", "CROSSFADE_CANARY": "off"}
    with running(tmp_path / "data", environment=environment) as stack:
        users = next(users for users in iter(lambda: rehearsal.invite(stack, USERS), None) if outside(users, 1_000))
        with rehearsal.gathered(stack, users, pace_ms=PACE_MS) as crowds:
            for stage in ("shadow", "10"):
                rehearsal.turn(stack, stage)
            talk(crowds)
            wait_for(lambda: has_dealt_with_all(stack), "the relay")
            assert sent_to_supabase(stack, users) == set(users.conversations) - outside(users, 1_000)
            for stage in ("25", "50", "75", "100"):
                rehearsal.turn(stack, stage)
            talk(crowds)
            wait_for(lambda: sent_to_supabase(stack, users) == set(users.conversations), "all to be fed")
            crowds.hush()
            wait_for(lambda: crowds.missing() == 0, "everything sent to be seen", rehearsal.DELIVERY_TIMEOUT_S)
            rehearsal.check(crowds)
            assert {line["via"] for line in crowds.of("message")} == {"socketio", "supabase", "catch-up"}


def outside(users: Users, buckets: int) -> set[int]:
    """Return the conversations without a member below so many buckets."""
    return {
        conversation
        for number, conversation in enumerate(users.conversations)
        if all(bucket_of(FLAG, users.ids[member % USERS]) >= buckets for member in (number, number + 1))
    }


def talk(crowds: Crowds) -> None:
    """Let every conversation have some more messages."""
    crowds.read()
    before = len(crowds.of("sent"))

    def has_said_enough() -> bool:
        crowds.read()
        places = [line["conversationId"] for line in crowds.of("sent")[before:]]
        return all(places.count(conversation) >= EACH for conversation in crowds.users.conversations)

    wait_for(has_said_enough, "every conversation to go on", 60)


def has_dealt_with_all(stack: Stack) -> bool:
    """Whether the relay has passed what was in the log when this began to ask."""
    query = "select high_water >= (select max(id) - %s from chat_events) from relay_cursors where sink = 'supabase'"
    with psycopg.connect(stack.ready["databaseUrl"], row_factory=scalar_row) as connection:
        return bool(connection.execute(query, (USERS,)).fetchone())


def sent_to_supabase(stack: Stack, users: Users) -> set[int]:
    """Return the conversations of which anything was broadcast."""
    query = "select distinct topic from realtime.messages where topic = any(%s)"
    topics = {f"conversation:{conversation}": conversation for conversation in users.conversations}
    with psycopg.connect(stack.ready["databaseUrl"], row_factory=scalar_row) as connection:
        return {topics[topic] for topic in connection.execute(query, (list(topics),)).fetchall()}
