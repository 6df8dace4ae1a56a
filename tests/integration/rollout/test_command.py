"""`crossfade rollout`, as an operator types it who never saw it before."""

import asyncio
import re
import threading
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.rollout import changes
from realtime_bridge.rollout.dial.errors import RolloutError
from realtime_bridge.rollout.dial.stages import SHADOW
from realtime_bridge.rollout.gate.findings import Outcome
from realtime_bridge.rollout.gate.verdict import Verdict
from realtime_bridge.rollout.operators import Who
from realtime_bridge.rollout.wishes import Wish
from tests.factories import make_user
from tests.integration.rollout.operator import KEEPER, Operator
from tests.integration.rollout.stages import FLAG, audit, dial, put_slots, put_stage


@pytest.fixture(autouse=True)
def keeper(conn: psycopg.Connection[DictRow]) -> None:
    """As if a bridge followed the dial; its own judging is not needed here."""
    conn.execute(KEEPER, (FLAG,))


@pytest.fixture
def operator(database_url: str) -> Operator:
    return Operator(database_url)


def test_following_status_leads_through_the_whole_migration(
    operator: Operator, conn: psycopg.Connection[DictRow]
) -> None:
    """Whoever types what `status` says, once the gate has figures, goes through every stage and ends at complete."""
    seen = [dial(conn)[0]]
    while dial(conn)[0] != "complete":
        operator.ok(operator.next_command())
        seen.append(dial(conn)[0])
        conn.execute("update rollout_stages set since = date_bin('5 seconds', now() - interval '10 min', '2020-01-01')")
        put_slots(conn)
    assert seen == ["off", "shadow", *(f"ramp {p}" for p in (10, 25, 50, 75, 100)), "complete"]
    assert [line["action"] for line in audit(conn)] == ["advance"] * 6 + ["set"]
    operator.ok(operator.next_command())
    assert dial(conn)[0] == "complete", "who does as status says does not undo it"


def test_status_explains_itself(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """Stage, meaning, the gate's reasons and the next command are on the screen."""
    put_stage(conn, "25")
    text = operator.ok("rollout status")
    assert text.startswith("ramp 25")
    assert "25 % of the users are told Supabase" in text
    assert "Gate: hold" in text
    assert "0 of 3 windows of at least 500 samples" in text
    assert "The open window has 0 of 500 samples after 0 of 60 s." in text
    put_slots(conn, slots=2)
    assert "The open window has 100 of 500 samples after 10 of 60 s." in operator.ok("rollout gate")
    assert text.rstrip().endswith("crossfade rollout gate")


@pytest.mark.parametrize("line", ["rollout set shadow", "rollout plan 10:30m", "rollout override add user {} supabase"])
def test_a_change_without_a_reason_is_refused(operator: Operator, conn: psycopg.Connection[DictRow], line: str) -> None:
    """Before anything is asked of the database."""
    code, text = operator.type(line.format(UUID(int=1)))
    assert (code, "--why" in text) == (2, True)
    assert audit(conn) == []


def test_status_says_when_nobody_follows_the_dial(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """A dial that turns nothing is said to be so."""
    conn.execute("update rollout_keepers set lease_until = '-infinity'")
    assert "CHAT_REALTIME_PROVIDER=rollout" in operator.ok("rollout status")


@pytest.mark.parametrize(
    ("stage", "wanted", "skipped"),
    [("off", "10", "shadow"), ("shadow", "complete", "ramp 10"), ("10", "50", "ramp 25")],
)
def test_skipping_a_stage_is_refused(
    operator: Operator, conn: psycopg.Connection[DictRow], stage: str, wanted: str, skipped: str
) -> None:
    """Also with a passing gate and with --force: the sentence names the stage that was left out."""
    put_stage(conn, stage)
    put_slots(conn)
    assert f"skips {skipped}" in operator.refused(f"rollout set {wanted} --why hurry --force")
    assert audit(conn) == []


def test_going_on_without_samples_is_refused(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """The reason says how many are missing; --force goes on, and the audit keeps that."""
    put_stage(conn, "shadow")
    put_slots(conn, per_slot=1)
    before = dial(conn)
    for line in ("rollout advance", "rollout set 10 --why hurry"):
        assert "0 of 3 windows of at least 500 samples" in operator.refused(line)
    assert dial(conn) == before
    assert operator.type("rollout advance --force")[0] == 2, "force wants a reason"
    operator.ok("rollout advance --force --why 'a test system'")
    assert (dial(conn)[0], audit(conn)[0]["action"]) == ("ramp 10", "advance_forced")
    operator.ok("rollout set shadow --why 'back is no question of samples'")
    assert dial(conn)[0] == "shadow"


def test_of_two_operators_the_second_is_told(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """Both copied the command of the same status: the first turns, the second learns who was faster."""
    put_stage(conn, "shadow")
    put_slots(conn)
    line = operator.next_command()
    assert "--version" in line
    operator.ok(line, by="alice")
    told = operator.refused(line, by="bob")
    assert "ramp 10" in told
    assert "by alice" in told
    assert dial(conn)[0] == "ramp 10"


def test_two_operators_at_the_same_moment(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Of eight who press at once, exactly one turns the dial."""
    version = dial(conn)[1]
    barrier = threading.Barrier(8)
    codes = []

    async def turn(name: str) -> int:
        wish = Wish(flag=FLAG, stage=SHADOW, by=Who(actor=name), why="race", version=version)
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            barrier.wait()
            try:
                await changes.turn(connection, wish, Verdict(outcome=Outcome.HOLD, reasons=()))
            except RolloutError as refusal:
                return 0 if "moved meanwhile" in str(refusal) else 2
            return 1

    def press(name: str) -> None:
        codes.append(asyncio.run(turn(name)))

    threads = [threading.Thread(target=press, args=(f"operator {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(codes) == [0] * 7 + [1]
    assert dial(conn) == ("shadow", version + 1)
    assert len(audit(conn)) == 1


def test_the_kill_switch_asks_nobody(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """Without a gate, in spite of approvals and from complete; a second time it says there is nothing to do."""
    put_stage(conn, "complete")
    conn.execute("update rollout_stages set needs_approval = true")
    assert "Back at off" in operator.ok("rollout rollback --why complaints", by="alice")
    assert dial(conn)[0] == "off"
    line = audit(conn)[0]
    assert (line["actor"], line["action"], line["why"]) == ("alice", "rollback", "complaints")
    assert (line["from_stage"], line["to_stage"]) == ("complete", "off")
    assert "at off already; nothing was changed" in operator.ok("rollout rollback")
    assert "Going back leads to" in operator.type("rollout rollback complete")[1]


def test_overrides_are_added_listed_and_removed(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """Each is a line of the audit and works at once; what is not there cannot be removed."""
    user = str(uuid4())
    put_stage(conn, "shadow")
    added = f"rollout override add user {user} supabase --why 'our tester'"
    assert f"{user} is told supabase." in operator.ok(added)
    (row,) = operator.read("rollout override list")
    assert (row["subject"], row["provider"], row["why"]) == (user, "supabase", "our tester")
    assert operator.read(f"rollout bucket {user}")["source"] == "override"
    operator.ok(f"rollout override remove user {user}")
    assert operator.read("rollout override list") == []
    assert "no override" in operator.refused(f"rollout override remove user {user}")
    assert [line["action"] for line in audit(conn)] == ["override_remove", "override_add"]
    put_stage(conn, "off")
    assert "from shadow on; at off everybody is told legacy" in operator.ok(added)
    assert operator.read(f"rollout bucket {user}")["provider"] == "socketio"
    put_stage(conn, "complete")
    assert "now everybody is told Supabase" in operator.ok(added)
    assert operator.type("rollout override add team x supabase --why x")[0] == 2


def test_bucket_says_from_when_on(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """The published vector: bucket 6807 is told Supabase from 68.08 % on, and not below."""
    user = "00000000-0000-0000-0000-000000000000"
    told = operator.read(f"rollout bucket {user}")
    assert (told["bucket"], told["supabaseFrom"]) == (6807, 68.08)
    for percentage, provider in (("68.07", "socketio"), ("68.08", "supabase")):
        put_stage(conn, percentage)
        assert operator.read(f"rollout bucket {user}")["provider"] == provider
    assert operator.ok(f"rollout bucket {user}").startswith(f"{user} is in bucket 6807 of 10000: Supabase from 68.08 %")


def test_bucket_names_whom_it_is_about(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """By address, whichever way the user was named."""
    user = make_user(conn, "ana@example.com")
    for name in ("Ana@example.com", user):
        assert operator.ok(f"rollout bucket {name}").startswith(f"ana@example.com ({user}) is in bucket ")
        assert operator.read(f"rollout bucket {name}")["email"] == "ana@example.com"


def test_a_plan_is_refused_when_it_is_written(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """Not in the night when it would skip a stage."""
    put_stage(conn, "shadow")
    assert "skips ramp 10" in operator.refused("rollout plan 25:1h --why x")
    assert "30m" in operator.refused("rollout plan 10:soon --why x")
    assert operator.type("rollout plan 10:30m")[0] == 2
    assert "no running plan" in operator.refused("rollout plan --pause")
    operator.ok("rollout plan 10:30m 25:1h 50:4h 75:12h 100 --why 'spring'")
    assert "ramp 10 as soon as the gate passes" in operator.ok("rollout status")
    operator.ok("rollout plan --pause --why lunch")
    assert operator.next_command() == "crossfade rollout plan --resume"
    assert "running, resumed by " in operator.ok("rollout plan --resume")
    operator.ok("rollout rollback")
    assert operator.read("rollout plan")["state"] == "stopped"


def test_the_policy_is_shown_and_changed(operator: Operator) -> None:
    """A change wants a reason, a known name and a sensible value."""
    assert "min_samples=500" in operator.ok("rollout policy")
    assert operator.type("rollout policy min_samples=50")[0] == 2
    assert "'colour'" in operator.refused("rollout policy colour=1 --why x")
    assert "NAME=VALUE" in operator.refused("rollout policy colour --why x")
    assert "min_samples=50" in operator.ok("rollout policy min_samples=50 --why 'a small system'")
    assert operator.read("rollout audit")[0]["why"] == "min_samples=50: a small system"


def test_every_figure_of_the_gate_is_shown(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """Measured, allowed, samples and outcome, of each criterion, in the table and in JSON."""
    put_stage(conn, "10")
    put_slots(conn, error_count=2)
    text = operator.ok("rollout gate")
    for word in ("errors", "latency", "lost", "reordered", "slower than legacy", "more errors than legacy", "missing"):
        assert word in text
    assert re.search(r"errors +│ +4.00% +│ +1.00% +│ +600 +│ +fail", text)
    figures = operator.read("rollout gate")
    assert figures["outcome"] == "fail"
    assert operator.next_command() == 'crossfade rollout rollback --why "because"'


def test_the_audit_cannot_be_rewritten(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """Neither changed nor shortened."""
    operator.ok("rollout set shadow --why begin")
    for statement in ("update rollout_audit set why = 'x'", "delete from rollout_audit"):
        with pytest.raises(psycopg.errors.RaiseException, match="only ever added"):
            conn.execute(statement)
    assert "begin" in operator.ok("rollout audit")
