"""Fault drills: break one thing during a ramp, time the gate, and ask the users what they noticed."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.acceptance import rehearsal
from tests.acceptance.rehearsal import Crowds
from tests.acceptance.stack import Stack
from tests.waiting import wait_for

RUNBOOK = Path(__file__).resolve().parents[2] / "ops" / "runbooks" / "fault-drills.md"
STAGES = ("shadow", "10", "25", "50")
MEASURED = 50  # samples of the canary on each side before something is broken: a calm ramp
RETURN_TIMEOUT_S = 90.0
INTRODUCTION = """# Fault drills

Written by `CROSSFADE_DRILLS=all pytest tests/faults/test_rollout_drills.py`; do not edit. Each drill breaks one thing
while the dial stands at `ramp 50` and real clients talk on both sides. The gate is the ordinary one, with its defaults.
That nobody missed a message, saw two in the wrong order or one twice is asserted for every user; what users can notice
is the wait in the last column: the fault, the gate, and the way back to the legacy side, where what was missed is
fetched by `seq`.

| broken | which gate fired | after | dial | users: lost, reordered, shown twice | longest wait for a message |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """`broken` breaks something inside its block. `rolls_back` False: nothing is gained by going back, so it holds."""

    name: str
    broken: Callable[[], AbstractContextManager[object]]
    rolls_back: bool = True
    timeout_s: float = 200.0  # a window is a minute, and a busy machine makes it longer
    hold_s: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    drill: str
    gate: str
    seconds: str
    dial: str
    longest_wait_s: float

    @property
    def row(self) -> str:
        facts = (self.drill, self.gate, self.seconds, self.dial, "0, 0, 0", f"{self.longest_wait_s:.1f} s")
        return f"| {' | '.join(facts)} |"


def run(stack: Stack, crowds: Crowds, drill: Drill) -> Report:
    """Ramp up, break, wait for the gate, repair; everything that was said meanwhile must have been seen."""
    for stage in STAGES:
        rehearsal.turn(stack, stage)
    calm_from = time.time()
    wait_for(lambda: measured(stack, calm_from) >= MEASURED, "the canary on both sides", 90)
    began, before = time.monotonic(), len(rollbacks(stack))
    broke_at = time.time()
    with drill.broken():
        if drill.rolls_back:
            wait_for(lambda: len(rollbacks(stack)) > before, f"the gate: {drill.name}", drill.timeout_s)
        else:
            wait_for(lambda: time.monotonic() - began >= drill.hold_s, "the fault's time", drill.hold_s + 10)
    seconds = time.monotonic() - began
    fired = rollbacks(stack)[before:]
    assert bool(fired) == drill.rolls_back, fired
    stage = json.loads(stack.crossfade("rollout", "status", "--json").stdout)["stage"]
    gate = fired[0]["why"] if fired else verdict(stack)
    if not fired:
        rehearsal.turn(stack, "rollback")
    wait_for(lambda: crowds.missing() == 0, f"what was said: {drill.name}", RETURN_TIMEOUT_S)
    return Report(
        drill=drill.name,
        gate=gate.replace("|", "/"),
        seconds=f"{seconds:.0f} s" if fired else "-",
        dial=f"back to {stage}" if fired else f"stays at {stage}",
        longest_wait_s=longest_wait_s(crowds, broke_at),
    )


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
    """Return what gates turned back, oldest first."""
    entries = json.loads(stack.crossfade("rollout", "audit", "--json").stdout)
    found = [entry for entry in entries if entry["action"] == "gate_rollback"]
    return sorted(found, key=lambda entry: entry["version"])


def verdict(stack: Stack) -> str:
    gate = json.loads(stack.crossfade("rollout", "gate", "--json").stdout)
    return f"{gate['outcome']}: {' '.join(gate.get('reasons', []))}".strip(": ")


def longest_wait_s(crowds: Crowds, since: float) -> float:
    """Return the longest time between a sender's answer and a reader's screen, for what was sent since then."""
    sent = {line["eventId"]: line["at"] for line in crowds.of("sent") if line["at"] >= since}
    waits = [line["at"] - sent[line["eventId"]] for line in crowds.of("message") if line["eventId"] in sent]
    return max(waits, default=0.0)
