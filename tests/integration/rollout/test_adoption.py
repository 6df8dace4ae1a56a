"""Who has moved and who is left, from what bridges and gateways have really written; complete leaves nobody behind."""

import json
import re
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.rows import DictRow

from realtime_bridge.rollout import rules
from realtime_bridge.rollout.metrics import LEFT, USERS
from realtime_bridge.rollout.operators import Who
from realtime_bridge.shared.canary_user import CANARY_ID
from tests.factories import make_conversation, make_user
from tests.integration.legacy.clients import Clients
from tests.integration.legacy.harness import Bridge
from tests.integration.rollout.keeping import judge_once
from tests.integration.rollout.operator import Operator
from tests.integration.rollout.reporting import Reporting, connect, tell
from tests.integration.rollout.stages import FLAG, audit, dial, put_slots, put_stage
from tests.relays import run


def test_a_new_client_moves_no_other_socket_of_its_user(
    database_url: str, conn: psycopg.Connection[DictRow], reporting: tuple[Bridge, Reporting], clients: Clients
) -> None:
    """One new client with its standby, three old sockets: he is left, with three, whatever the new one was told."""
    operator, (bridge, report) = Operator(database_url), reporting
    account, user = make_user(conn), make_user(conn, "both@example.com")
    make_conversation(conn, account, user)
    put_stage(conn, "100")
    put_slots(conn)
    connect(clients, bridge.url, tell(conn, account, user, "supabase"))
    old = [clients.connect(bridge.url, user) for _ in range(3)]
    report.beat(sockets=4)
    left = operator.read("rollout left")
    assert (left["left"], left["leftSockets"], left["leftUsers"][0]["sockets"]) == (1, 3, 3)
    assert "3 open sockets; an old client" in operator.ok("rollout left")
    assert "1 user is left on legacy with 3 open sockets" in operator.refused("rollout advance")
    assert "1 connected, with 4 open sockets (1 of them the standby" in operator.ok("rollout status")
    tell(conn, account, user, "supabase")
    for socket in old:
        socket.close()
    report.beat(sockets=1)
    assert operator.read("rollout left")["leftUsers"][0]["sockets"] == 0, "old clients that are away come back"
    conn.execute("update legacy_listeners set heard_at = now() - interval '25 hours'")
    assert operator.read("rollout left")["left"] == 0, "the standby is nobody who is left"
    operator.ok("rollout advance")


def test_a_socket_that_goes_between_two_reports_is_heard(
    database_url: str, conn: psycopg.Connection[DictRow], reporting: tuple[Bridge, Reporting], clients: Clients
) -> None:
    """An old client that looks in for a moment, at first and again: he is left, and was last heard then."""
    operator, (bridge, report) = Operator(database_url), reporting
    user = make_user(conn)
    put_stage(conn, "100")
    heard: list[str] = []
    for _ in range(2):
        clients.connect(bridge.url, user).close()
        report.beat(sockets=0)
        left = operator.read("rollout left")
        assert (left["left"], left["leftSockets"], left["leftUsers"][0]["userId"]) == (1, 0, str(user))
        heard.append(operator.read("rollout status")["adoption"]["legacy"]["lastHeard"])
    assert heard[0] < heard[1]
    report.beat(sockets=0)
    assert operator.read("rollout status")["adoption"]["legacy"]["lastHeard"] == heard[1]


def test_a_socket_follows_with_the_token_of_the_next_answer(
    database_url: str, conn: psycopg.Connection[DictRow], reporting: tuple[Bridge, Reporting], clients: Clients
) -> None:
    """Told legacy it is left, also where another client of its user was told Supabase since; with the new token not."""
    operator, (bridge, report) = Operator(database_url), reporting
    account, user = make_user(conn), make_user(conn)
    make_conversation(conn, account, user)
    put_stage(conn, "100")
    first = connect(clients, bridge.url, tell(conn, account, user, "socketio"))
    second = connect(clients, bridge.url, tell(conn, account, user, "supabase"))

    def left() -> tuple[int, int]:
        report.beat(sockets=2)
        found = operator.read("rollout left")
        return found["left"], found["leftSockets"]

    assert left() == (1, 1)
    assert first.ask("token", tell(conn, account, user, "supabase"))["ok"]
    assert left() == (0, 0)
    operator.ok("rollout rollback --why 'a bad night'")
    assert "1 user is told Supabase by an answer of before" in operator.ok("rollout status")
    supabase = operator.read("rollout status")["adoption"]["supabase"]
    assert (supabase["told"], supabase["asked"]) == (1, 0), "it has not asked since the dial was turned"
    assert second.ask("token", tell(conn, account, user, "socketio"))["ok"]
    assert left() == (1, 1)
    tell(conn, account, user, "supabase")
    second.close()
    report.beat(sockets=1)
    assert operator.read("rollout left")["left"] == 0, "who asks comes back and asks"


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
    socket = clients.connect(bridge.url, old)
    connect(clients, bridge.url, tell(conn, account, moved, "supabase"))
    clients.connect(bridge.url, CANARY_ID)
    report.beat(sockets=3)

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
    socket.close()
    report.beat(sockets=2)
    assert operator.read("rollout left")["left"] == 1, "a phone that is away is an old client all the same"
    conn.execute("update legacy_listeners set heard_at = now() - interval '25 hours' where sockets = 0")
    assert operator.read("rollout left") == {"left": 0, "leftSockets": 0, "leftUsers": [], "complaint": None}
    operator.ok("rollout advance")
    assert (dial(conn)[0], audit(conn)[0]["figures"]["adoption"]["left"]) == ("complete", 0)


def test_leaving_users_behind_is_a_decision_with_a_name(
    database_url: str, conn: psycopg.Connection[DictRow], reporting: tuple[Bridge, Reporting], clients: Clients
) -> None:
    """The audit says how many, who, and why; the status and the metrics go on counting them."""
    operator, (bridge, report) = Operator(database_url), reporting
    old = make_user(conn, "old@example.com")
    put_stage(conn, "100")
    put_slots(conn)
    clients.connect(bridge.url, old)
    report.beat(sockets=1)
    operator.ok("rollout advance --leave-behind 1 --why 'they were written to'", by="alice")
    line = audit(conn)[0]
    assert (line["actor"], line["why"], line["to_stage"]) == ("alice", "they were written to", "complete")
    assert line["figures"]["leaveBehind"] == 1
    assert [user["userId"] for user in line["figures"]["adoption"]["leftUsers"]] == [str(old)]
    assert re.search(r"they were written to +│ old@example\.com", operator.ok("rollout audit"))
    assert "1 user is left on legacy" in operator.ok("rollout status")
    assert "with 1 open socket: those are told how to return" in operator.read("rollout status")["advice"]
    judge_once(database_url)
    assert LEFT.labels(FLAG)._value.get() == 1
    assert USERS.labels(FLAG, "legacy", "connected")._value.get() == 1


def test_a_way_back_from_complete_says_what_it_leaves(
    database_url: str, conn: psycopg.Connection[DictRow], reporting: tuple[Bridge, Reporting], clients: Clients
) -> None:
    """What was written meanwhile, and who of the old clients has no socket; from elsewhere there is nothing to say."""
    operator, (bridge, report) = Operator(database_url), reporting
    put_stage(conn, "100")
    assert operator.read("rollout rollback 50")["notBroughtBack"] is None
    put_stage(conn, "complete")
    socket = clients.connect(bridge.url, make_user(conn))
    clients.connect(bridge.url, make_user(conn))
    report.beat(sockets=2)
    socket.close()
    report.beat(sockets=1)
    said = operator.ok("rollout rollback 100")
    assert "Not brought back: what was written since" in said
    assert "1 user is left without an open socket" in said
    assert operator.read("rollout left")["left"] == 2


def test_a_plan_waits_for_who_is_left(
    database_url: str, conn: psycopg.Connection[DictRow], reporting: tuple[Bridge, Reporting], clients: Clients
) -> None:
    """It says for whom, and goes on when they have moved."""
    operator, (bridge, report) = Operator(database_url), reporting
    account, user = make_user(conn), make_user(conn)
    put_stage(conn, "100")
    put_slots(conn)
    client = clients.connect(bridge.url, user)
    report.beat(sockets=1)

    async def plan() -> None:
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await rules.start_plan(connection, FLAG, ["complete"], by=Who(actor="alice"), why="spring")

    run(plan)
    assert judge_once(database_url) == 0
    assert "waits at ramp 100: 1 user is left" in operator.read("rollout status")["advice"]
    assert client.ask("token", tell(conn, account, user, "supabase"))["ok"]
    report.beat(sockets=1)
    assert judge_once(database_url) == 1
    assert dial(conn)[0] == "complete"


def test_a_dead_bridge_has_no_sockets_and_its_users_were_heard(
    database_url: str, conn: psycopg.Connection[DictRow], reporting: tuple[Bridge, Reporting], clients: Clients
) -> None:
    """Killed, it takes no leave: its users are not connected, and were heard when it was."""
    operator, (bridge, report) = Operator(database_url), reporting
    put_stage(conn, "100")
    clients.connect(bridge.url, make_user(conn))
    report.beat(sockets=1)
    conn.execute("update bridge_reports set seen_at = now() - interval '1 hour'")
    status = operator.read("rollout status")["adoption"]
    assert (status["legacy"]["connected"], status["left"], status["leftUsers"][0]["sockets"]) == (0, 1, 0)
    heard = datetime.fromisoformat(status["leftUsers"][0]["lastHeard"])
    assert timedelta(minutes=59) < datetime.now(UTC) - heard < timedelta(minutes=61)
    assert json.dumps(status)
