"""Judgement of the gate now, from what is stored.

Reads and never writes: asked by the keeper and by `crossfade rollout`.

A reader closes windows in its own memory, where the keeper would close them: the slots they are cut from stay as they
are. Only the keeper keeps them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from realtime_bridge.rollout import store
from realtime_bridge.rollout.dial.stages import Side, StageName
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.gate import slots as windows
from realtime_bridge.rollout.gate import store as judging
from realtime_bridge.rollout.gate.findings import Outcome
from realtime_bridge.rollout.gate.policy import HORIZON
from realtime_bridge.rollout.gate.slots import SLOT_S, Window
from realtime_bridge.rollout.gate.verdict import FailureRun, Verdict, judge
from realtime_bridge.rollout.gate.windows import GateWindow, cut
from realtime_bridge.rollout.store import Dial

OUTAGE_SLOTS = 3  # a run of failures counts as one of now for so long after it was written down
NOT_JUDGED = frozenset({StageName.OFF})
NOTHING = Verdict(outcome=Outcome.HOLD, reasons=("It judges from shadow on.",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """`closed` are windows that nobody has kept yet; `measuring` is the one that is still open."""

    verdict: Verdict
    dial: Dial
    closed: Sequence[GateWindow] = ()
    measuring: GateWindow | None = None


async def evaluate(connection: Connection, flag: str) -> Judgement:
    """Judge the stage at which the dial stands, by the sides that it feeds."""
    dial = await store.get_dial(connection, flag)
    if dial.stage.name in NOT_JUDGED:
        return Judgement(verdict=NOTHING, dial=dial)
    known = await judging.list_windows(connection, flag, dial.version)
    started_at = known[-1].ended_at if known else dial.since
    slots = await windows.read(connection, flag, started_at)
    first_number = known[-1].number + 1 if known else 1
    sides = dial.stage.feeds
    closed, measuring = cut(slots, dial.policy, started_at=started_at, first_number=first_number, sides=sides)
    failures = await _failures_now(connection, flag, slots)
    verdict = judge([*known, *closed][-HORIZON:], dial.policy, failures_now=failures, sides=sides)
    return Judgement(verdict=verdict, dial=dial, closed=closed, measuring=measuring)


async def _failures_now(connection: Connection, flag: str, slots: Sequence[Window]) -> dict[Side, FailureRun]:
    """Return the longest run of failures of each side that stands now, by its sink or by the newest slots."""
    failures = await store.failures_now(connection, flag)
    recent = datetime.now(UTC) - timedelta(seconds=OUTAGE_SLOTS * SLOT_S)
    for slot in slots:
        if slot.window_start >= recent and slot.consecutive_failures > failures.get(slot.side, FailureRun()).count:
            run = failures.get(slot.side, FailureRun())
            failures[slot.side] = replace(run, count=slot.consecutive_failures, cause=None)
    return failures
