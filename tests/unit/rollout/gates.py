"""Windows as gates see them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate import latency
from realtime_bridge.rollout.gate.policy import Policy
from realtime_bridge.rollout.gate.slots import Sample
from realtime_bridge.rollout.gate.verdict import FailureRun, Verdict, judge
from realtime_bridge.rollout.gate.windows import GateWindow

START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = Policy()
FAST, SLOW = 20.0, 900.0


def sample(side: Side, sent: int = 500, *, errors: int = 0, slow: int = 0, **counts: Any) -> Sample:
    """A side's window with `sent` events, `slow` of them late."""
    lost = counts.get("lost", 0)
    histogram = latency.histogram([FAST] * (sent - slow) + [SLOW] * slow)
    return Sample(
        side=side, sent=sent, seen=sent - lost, attempts=sent, errors=errors, latency_counts=histogram, **counts
    )


def window(number: int = 1, *, legacy: Sample | None = None, supabase: Sample | None = None) -> GateWindow:
    return GateWindow(
        number=number,
        started_at=START + timedelta(minutes=number),
        ended_at=START + timedelta(minutes=number + 1),
        sides={
            Side.LEGACY: legacy or sample(Side.LEGACY),
            Side.SUPABASE: supabase or sample(Side.SUPABASE),
        },
    )


def verdict(*windows: GateWindow, failures: dict[Side, int] | None = None) -> Verdict:
    runs = {side: FailureRun(count=count, cause="hung up") for side, count in (failures or {}).items()}
    return judge(windows, POLICY, failures_now=runs)


def new(**values: int) -> GateWindow:
    return window(supabase=sample(Side.SUPABASE, **values))
