"""Who has moved and who is left, from what bridges and gateways have really written; complete leaves nobody behind."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import DictRow

from gateway.store import realtime_sessions as told
from realtime_bridge import db
from realtime_bridge.database_clock import DatabaseClock
from realtime_bridge.heartbeat import Heartbeat
from realtime_bridge.parity.canary_user import CANARY_ID
from realtime_bridge.reports import Report
from realtime_bridge.rollout import changes
from realtime_bridge.rollout.metrics import LEFT, USERS
from tests.factories import make_conversation, make_user
from tests.integration.bridge.conftest import run
from tests.integration.legacy.clients import Clients
from tests.integration.legacy.harness import Bridge
from tests.integration.rollout.keeping import judge_once
from tests.integration.rollout.operator import Operator
from tests.integration.rollout.stages import FLAG, audit, dial, put_slots, put_stage
from tests.waiting import wait_for

SESSION_S = 900


class Reporting:
    """A bridge with legacy sockets that reports when the test says so."""

    def __init__(self, bridge: Bridge, database_url: str) -> None:
        self._bridge = bridge
        self._url = database_url
        self._heartbeat = bridge.call(self._make())

    async def _make(self) -> Heartbeat:
        self._pool = db.pool(self._url, name="test", size=2)
        await self._pool.open()
        state = Report(
            bridge="host:1:bridge",
            provider="rollout",
            sinks={},
            feed_mode="full",
            version=1,
            has_canary=True,
        )
        sockets = self._bridge.server.sessions.count_by_user
        return Heartbeat(pool=self._pool, state=lambda: state, sockets=sockets, clock=DatabaseClock())

    def beat(self, users: int) -> None:
        """Report once that many users are here."""
        sessions = self._bridge.server.sessions
        wait_for(lambda: len(sessions.count_by_user()) == users, f"{users} users")
        self._bridge.call(self._heartbeat.run_once())

    def close(self) -> None:
        self._bridge.call(self._pool.close())


@pytest.fixture
def reporting(database_url: str) -> Iterator[tuple[Bridge, Reporting]]:
    bridge = Bridge(database_url).start()
    reporting = Reporting(bridge, database_url)
    yield bridge, reporting
    reporting.close()
    bridge.stop()


@pytest.fixture
def clients() -> Iterator[Clients]:
    with Clients() as clients:
        yield clients


def tell(conn: psycopg.Connection[Any], account: UUID, user: UUID, provider: str, *, ttl_s: int = SESSION_S) -> None:
    """Give a user an answer, as the gateway does."""
    expires_at = datetime.now(UTC) + timedelta(seconds=ttl_s)
    told.note_told(conn, account, user, told.Told(provider=provider, source="bucket", expires_at=expires_at))


def test_an_answer_that_was_taken_back_moves_nobody(
    database_url: str, conn: psycopg.Connection[DictRow], reporting: tuple[Bridge, Reporting], clients: Clients
) -> None:
    """Told Supabase, then everybody or this one legacy again: who does not ask anew, and is heard there, is left."""
    operator, (bridge, report) = Operator(database_url), reporting
    account, user = make_user(conn), make_user(conn)
    make_conversation(conn, account, user)
    put_stage(conn, "100")
    tell(conn, account, user, "supabase")
    clients.connect(bridge.url, user)

    def left() -> int:
        report.beat(users=1)
        return int(operator.read("rollout left")["left"])

    assert left() == 0, "the socket is a standby"
    operator.ok("rollout rollback --why 'a bad night'")
    put_stage(conn, "100")
    assert left() == 1
    tell(conn, account, user, "supabase")
    assert left() == 0
    operator.ok(f"rollout override add user {user} socketio --why 'his browser'")
    assert left() == 1
    tell(conn, account, user, "socketio")
    operator.ok(f"rollout override remove user {user}")
    tell(conn, account, user, "supabase")
    assert left() == 0


def test_complete_leaves_nobody_behind(
    database_url: str, conn: psycopg.Connection[DictRow], reporting: tuple[Bridge, Reporting], clients: Clients
) -> None:
    """An old client, one who was told legacy, and one who keeps a standby: two are left, named, and not cut off."""
    operator, (bridge, report) = Operator(database_url), reporting
    account, old, asked, moved = make_user(conn), make_user(conn, "old@example.com"), make_user(conn), make_user(conn)
    make_conversation(conn, account, old, asked, moved)
    put_stage(conn, "100")
    put_slots(conn)
    tell(conn, account, asked, "socketio")
    tell(conn, account, moved, "supabase")
    socket = clients.connect(bridge.url, old)
    clients.connect(bridge.url, moved)
    clients.connect(bridge.url, CANARY_ID)
    report.beat(users=3)

    status = operator.read("rollout status")
    legacy, supabase = status["adoption"]["legacy"], status["adoption"]["supabase"]
    assert (legacy["told"], legacy["connected"], supabase["told"], supabase["connected"]) == (1, 2, 1, None)
    assert legacy["asked"] == supabase["asked"] == 1
    assert status["next"] == "crossfade rollout left"
    left = operator.read("rollout left")
    assert [(user["userId"], user["sockets"]) for user in left["leftUsers"]] == [(str(old), 1), (str(asked), 0)]
    assert "old@example.com" in operator.ok("rollout left", columns=80)
    assert "2 users are left on legacy" in operator.ok("rollout status")

    for line in (
        "rollout advance",
        "rollout set complete --force --why hurry",
        "rollout advance --leave-behind 1 --why x",
    ):
        said = operator.refused(line)
        assert "old@example.com" in said
        assert "--leave-behind 2" in said
    assert operator.type("rollout advance --leave-behind 2")[0] == 2, "a reason is wanted"
    assert operator.type("rollout set 75 --leave-behind 2 --why x")[0] == 2
    assert dial(conn)[0] == "ramp 100"

    tell(conn, account, asked, "supabase")
    clients.send(do="close", socket=socket.name)
    report.beat(users=2)
    assert operator.read("rollout left")["left"] == 1, "a phone that is away is an old client all the same"
    conn.execute("update legacy_listeners set heard_at = now() - interval '25 hours' where sockets = 0")
    assert operator.read("rollout left") == {"left": 0, "leftUsers": []}
    operator.ok("rollout advance")
    assert (dial(conn)[0], audit(conn)[0]["figures"]["adoption"]["left"]) == ("complete", 0)


def test_leaving_users_behind_is_a_decision_with_a_name(
    database_url: str, conn: psycopg.Connection[DictRow], reporting: tuple[Bridge, Reporting], clients: Clients
) -> None:
    """The audit says how many, who, and why; the status and the metrics go on counting them."""
    operator, (bridge, report) = Operator(database_url), reporting
    old = make_user(conn)
    put_stage(conn, "100")
    put_slots(conn)
    clients.connect(bridge.url, old)
    report.beat(users=1)
    operator.ok("rollout advance --leave-behind 1 --why 'they were written to'", by="alice")
    line = audit(conn)[0]
    assert (line["actor"], line["why"], line["to_stage"]) == ("alice", "they were written to", "complete")
    assert line["figures"]["leaveBehind"] == 1
    assert [user["userId"] for user in line["figures"]["adoption"]["leftUsers"]] == [str(old)]
    assert "1 user is left on legacy" in operator.ok("rollout status")
    assert "told, and then closed" in operator.read("rollout status")["advice"]
    judge_once(database_url)
    assert LEFT.labels(FLAG)._value.get() == 1
    assert USERS.labels(FLAG, "legacy", "connected")._value.get() == 1
    bridge.call(bridge.server.dismiss(bridge.server.sessions.all()[0]))
    report.beat(users=0)
    assert "1 user is left on legacy: none has an open socket" in operator.read("rollout status")["advice"]


def test_a_plan_waits_for_who_is_left(
    database_url: str, conn: psycopg.Connection[DictRow], reporting: tuple[Bridge, Reporting], clients: Clients
) -> None:
    """It says for whom, and goes on when they have moved."""
    operator, (bridge, report) = Operator(database_url), reporting
    account, user = make_user(conn), make_user(conn)
    put_stage(conn, "100")
    put_slots(conn)
    clients.connect(bridge.url, user)
    report.beat(users=1)

    async def plan() -> None:
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await changes.start_plan(connection, FLAG, ["complete"], actor="alice", why="spring")

    run(plan)
    assert judge_once(database_url) == 0
    assert "waits at ramp 100: 1 user is left" in operator.read("rollout status")["advice"]
    tell(conn, account, user, "supabase")
    assert judge_once(database_url) == 1
    assert dial(conn)[0] == "complete"


def test_a_dead_bridge_has_no_sockets_and_its_users_were_heard(
    database_url: str, conn: psycopg.Connection[DictRow], reporting: tuple[Bridge, Reporting], clients: Clients
) -> None:
    """Killed, it takes no leave: its users are not connected, and were heard when it was."""
    operator, (bridge, report) = Operator(database_url), reporting
    put_stage(conn, "100")
    clients.connect(bridge.url, make_user(conn))
    report.beat(users=1)
    conn.execute("update bridge_reports set seen_at = now() - interval '1 hour'")
    status = operator.read("rollout status")["adoption"]
    assert (status["legacy"]["connected"], status["left"], status["leftUsers"][0]["sockets"]) == (0, 1, 0)
    heard = datetime.fromisoformat(status["leftUsers"][0]["lastHeard"])
    assert timedelta(minutes=59) < datetime.now(UTC) - heard < timedelta(minutes=61)
    assert json.dumps(status)
