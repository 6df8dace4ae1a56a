"""What becomes of a delivery after an attempt. Pure; the sender writes it down."""

import random
from dataclasses import dataclass

from realtime_bridge.webhooks.contract.outcomes import RESTS, Outcome
from realtime_bridge.webhooks.schedule import Lane, delay_after, lane_after

SECRET_RETRY_S = 60.0  # an operator who forgot a key is told by the log; nothing was sent, so nothing is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The delivery's next state: open again after `delay_s`, or settled for good."""

    state: str
    lane: Lane
    delay_s: float = 0.0
    counted: int = 1


def judge(outcome: Outcome, *, attempts: int, replay: bool, wish_s: float, jitter: random.Random) -> Verdict:
    """Decide after an attempt of a delivery that had `attempts` before it. A replay has one attempt."""
    made = attempts + 1
    if outcome is Outcome.DELIVERED:
        return Verdict(state="delivered", lane=lane_after(made))
    if outcome is Outcome.SECRET_UNAVAILABLE:
        return Verdict(state="open", lane=Lane.LATE, delay_s=SECRET_RETRY_S, counted=0)
    if outcome in (Outcome.GONE, Outcome.EXPIRED) or replay:
        return Verdict(state="failed", lane=Lane.LATE)
    delay_s = delay_after(made, wish_s if outcome in RESTS else 0.0, jitter)
    if delay_s is None:
        return Verdict(state="failed", lane=Lane.LATE)
    return Verdict(state="open", lane=lane_after(made), delay_s=delay_s)
