"""A plan: which stage follows which, and how long each is held. Pure; the keeper asks it, an operator writes it.

`10:30m 25:1h 50:4h 75:12h 100` holds 10 % for at least half an hour, and so on; a step without a time is held until its
gate passes. A plan goes forward only, one rung at a time, and each step waits for the gate as well as for the time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from realtime_bridge.rollout.dial import stages
from realtime_bridge.rollout.dial.errors import RolloutError
from realtime_bridge.rollout.dial.stages import Stage

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
MAX_HOLD_S = 30 * 24 * 3600  # a plan that waits longer is forgotten, not patient
MAX_STEPS = 50
_HOLD = re.compile(r"([1-9]\d{0,6})([smhd])", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    stage: Stage
    hold_s: int


def parse(words: Sequence[str]) -> tuple[Step, ...]:
    """Read `STAGE` or `STAGE:TIME` words. Raises RolloutError."""
    if not 1 <= len(words) <= MAX_STEPS:
        raise RolloutError(f"A plan has 1 to {MAX_STEPS} steps, such as 10:30m 25:1h 50:4h 75:12h 100.")
    return tuple(_step(word) for word in words)


def check(steps: Sequence[Step], current: Stage) -> None:
    """Refuse a plan that goes back or skips a stage on its way from `current`. Raises RolloutError."""
    for step in steps:
        if not stages.is_forward(current, step.stage):
            raise RolloutError(f"A plan goes forward only: {step.stage.label} is not above {current.label}.")
        stages.check_change(current, step.stage)
        current = step.stage


def following(steps: Sequence[Step], current: Stage) -> Step | None:
    """Return the step after `current`; None when the plan is done."""
    return next((step for step in steps if stages.is_forward(current, step.stage)), None)


def holds_until(steps: Sequence[Step], current: Stage, since: datetime) -> datetime:
    """Return the moment before which `current`, reached at `since`, is not left."""
    hold_s = next((step.hold_s for step in steps if step.stage == current), 0)
    return since + timedelta(seconds=hold_s)


def _step(word: str) -> Step:
    name, colon, time = word.partition(":")
    hold_s = 0
    if colon:
        match = _HOLD.fullmatch(time)
        hold_s = int(timedelta(**{UNITS[match[2]]: int(match[1])}).total_seconds()) if match else 0
        if not 0 < hold_s <= MAX_HOLD_S:
            raise RolloutError(f"{word!r}: write the time as 30m, 4h or 2d, at most 30d.")
    return Step(stage=stages.parse(name), hold_s=hold_s)
