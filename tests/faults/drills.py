"""Fault drills: break one thing during a ramp, time the gate, and ask the users what they noticed."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from realtime_bridge.rollout.dial.bucket import BUCKETS, bucket_of
from realtime_bridge.rollout.dial.stages import FLAG
from tests.acceptance import rehearsal
from tests.acceptance.rehearsal import Crowds
from tests.acceptance.stack import Stack
from tests.waiting import wait_for

RUNBOOK = Path(__file__).resolve().parents[2] / "ops" / "runbooks" / "fault-drills.md"
STAGES = ("shadow", "10", "25", "50")
GROUPS = 3
MEASURED = 50  # samples of the canary on each side before something is broken: a calm ramp
RETURN_TIMEOUT_S = 90.0
WAITED_S = 1.0  # a message that took longer was held up
INTRODUCTION = """# Fault drills

Written by `CROSSFADE_DRILLS=all pytest tests/faults/test_rollout_drills.py`; do not edit. Each drill breaks one thing
while the dial stands at `ramp 50` and real clients talk on both sides. The gate is the ordinary one, with its defaults.
That nobody missed a message, saw two in the wrong order or one twice is asserted for every user. What users can notice
is a wait, and the longest one for a message is given. Of those on Supabase one half keeps the `standby` of the session
open, as clients should: they are shown a message by whichever side is first, and when Supabase fails they notice
nothing. The others wait for the gate, for word of it, and for the way back to the legacy side, where they fetch what
they missed by `seq`. Those who are told legacy wait only for legacy itself, as they always have. *Whole* is when the
last message that had to wait was on its last reader's screen; counted from the break on, as *after* is. What broke is
repaired as soon as the gate has fired. *Busy*: on each processor a program that does nothing but count.

| broken | which gate fired | after | dial | lost, reordered, twice | on Supabase: standby | alone | legacy | whole |
|---|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """`broken` breaks something inside its block. `rolls_back` False: nothing is gained by going back, so it holds."""

    name: str
    broken: Callable[[], AbstractContextManager[object]]
    rolls_back: bool = True
    timeout_s: float = 200.0  # a window is a minute, and a busy machine makes it longer
    hold_s: float = 15.0
    within_s: float | None = None
    """How soon the gate must have turned back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    drill: str
    gate: str
    seconds: str
    dial: str
    longest_waits_s: tuple[float, ...]
    """Of users on Supabase with and without a standby, and of those on legacy."""
    whole_after_s: float | None

    @property
    def row(self) -> str:
        waits = (f"{wait_s:.1f} s" for wait_s in self.longest_waits_s)
        whole = "-" if self.whole_after_s is None else f"{self.whole_after_s:.1f} s"
        facts = (self.drill, self.gate, self.seconds, self.dial, "0, 0, 0", *waits, whole)
        return f"| {' | '.join(facts)} |"


def run(stack: Stack, crowds: Crowds, drill: Drill) -> Report:
    """Ramp up, break, wait for the gate, repair; everything that was said meanwhile must have been seen."""
    ramp_up(stack)
    began, before = time.monotonic(), len(rollbacks(stack))
    broke_at = time.time()
    with drill.broken():
        if drill.rolls_back:
            wait_for(lambda: len(rollbacks(stack)) > before, f"the gate: {drill.name}", drill.timeout_s)
        else:
            wait_for(lambda: time.monotonic() - began >= drill.hold_s, "the fault's time", drill.hold_s + 10)
    fired = rollbacks(stack)[before:]
    assert bool(fired) == drill.rolls_back, fired
    assert not fired or drill.within_s is None or fired[0]["at"] - broke_at <= drill.within_s, fired
    stage = stage_of(stack)
    gate = fired[0]["why"] if fired else verdict(stack)
    if not fired:
        rehearsal.turn(stack, "rollback")
    wait_for(lambda: crowds.missing() == 0, f"what was said: {drill.name}", RETURN_TIMEOUT_S)
    return Report(
        drill=drill.name,
        gate=gate.replace("|", "/"),
        seconds=f"{fired[0]['at'] - broke_at:.1f} s" if fired else "-",
        dial=f"back to {stage}" if fired else f"stays at {stage}",
        longest_waits_s=longest_waits_s(crowds, broke_at),
        whole_after_s=whole_after_s(crowds, broke_at),
    )


@contextmanager
def dead(stack: Stack, name: str) -> Iterator[None]:
    """Killed, and not started again before the end: who would do that stands still meanwhile."""
    old = stack.pids[name]
    os.kill(stack.process.pid, signal.SIGSTOP)
    try:
        os.kill(old, signal.SIGKILL)
        yield
    finally:
        os.kill(stack.process.pid, signal.SIGCONT)
        stack.wait_for_new_pid(name, old)


def ramp_up(stack: Stack) -> None:
    """Go to the last of STAGES and wait for a calm ramp.

    What was just repaired may not be joined yet, and then the gate turns the dial back: shadow is tried until both
    sides are heard.
    """
    tried_at = 0.0

    def is_heard() -> bool:
        nonlocal tried_at
        if stage_of(stack) == "off":
            rehearsal.turn(stack, STAGES[0])
            tried_at = time.time()
        return measured(stack, tried_at) > 0

    wait_for(is_heard, "both sides to be heard", RETURN_TIMEOUT_S)
    for stage in STAGES[1:]:
        rehearsal.turn(stack, stage)
    calm_from = time.time()
    wait_for(lambda: measured(stack, calm_from) >= MEASURED, "the canary on both sides", 90)


def stage_of(stack: Stack) -> str:
    return str(json.loads(stack.crossfade("rollout", "status", "--json").stdout)["stage"])


def measured(stack: Stack, since: float) -> int:
    """Return how many events the canary has seen since then on the side that saw fewer."""
    query = """
        select coalesce(min(seen), 0) from (
            select s.side, coalesce(sum(w.seen_count), 0) as seen
            from (values ('legacy'), ('supabase')) as s (side)
            left join parity_windows w on w.side = s.side and w.window_start >= to_timestamp(%s)
            group by s.side
        ) as sides
    """
    with psycopg.connect(stack.ready["databaseUrl"]) as connection:
        row = connection.execute(query, (since,)).fetchone()
    return int(row[0]) if row else 0


def rollbacks(stack: Stack) -> list[dict[str, Any]]:
    """Return what gates turned back, and when, oldest first."""
    query = """
        select why, extract(epoch from at)::float8 as at from rollout_audit
        where action = 'gate_rollback' order by id
    """
    with psycopg.connect(stack.ready["databaseUrl"], row_factory=dict_row) as connection:
        return connection.execute(query).fetchall()


def parked(stack: Stack) -> int:
    with psycopg.connect(stack.ready["databaseUrl"]) as connection:
        row = connection.execute("select count(*) from parked_events").fetchone()
    return int(row[0]) if row else 0


def verdict(stack: Stack) -> str:
    gate = json.loads(stack.crossfade("rollout", "gate", "--json").stdout)
    return f"{gate['outcome']}: {' '.join(gate.get('reasons', []))}".strip(": ")


def longest_waits_s(crowds: Crowds, since: float) -> tuple[float, ...]:
    """Return the longest time between a sender's answer and a reader's screen, for what was sent since then."""
    sent = {line["eventId"]: line["at"] for line in crowds.of("sent") if line["at"] >= since}
    group = {str(user): _group(number, user) for number, user in enumerate(crowds.users.ids)}
    waits = [0.0] * GROUPS
    for line in crowds.of("message"):
        if line["eventId"] in sent:
            number = group[line["user"]]
            waits[number] = max(waits[number], line["at"] - sent[line["eventId"]])
    return tuple(waits)


def whole_after_s(crowds: Crowds, since: float) -> float | None:
    """Return how long after `since` the last message that had to wait was seen; None when none had to."""
    sent = {line["eventId"]: line["at"] for line in crowds.of("sent") if line["at"] >= since}
    seen = [line for line in crowds.of("message") if line["eventId"] in sent]
    late = [line["at"] for line in seen if line["at"] - sent[line["eventId"]] > WAITED_S]
    return max(late) - since if late else None


def _group(number: int, user: UUID) -> int:
    """Return how a user is connected at the stage in which things break: its place among the waits."""
    if bucket_of(FLAG, user) >= BUCKETS // 2:
        return 2
    return 0 if rehearsal.keeps_standby(number) else 1
