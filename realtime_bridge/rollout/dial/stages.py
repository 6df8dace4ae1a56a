"""Stages of a rollout, what each means, and steps between them. Pure.

off → shadow → ramp 10 → 25 → 50 → 75 → 100 → complete. Forward one rung at a time (a finer percentage between two rungs
is fine), back to anywhere below. Until `complete` the legacy side is fed everything, so going back loses nothing.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from realtime_bridge.rollout.dial.bucket import BUCKETS
from realtime_bridge.rollout.dial.errors import RolloutError


class Side(StrEnum):
    LEGACY = "legacy"
    SUPABASE = "supabase"


FLAG = "chat_realtime_provider"
PERCENT = BUCKETS // 100
_RAMP = re.compile(r"(?:ramp[ -]?)?(\d{1,3}(?:\.\d{1,2})?)%?", re.ASCII)


class StageName(StrEnum):  # from the foot of the ladder to its top
    OFF = "off"
    SHADOW = "shadow"
    RAMP = "ramp"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """`buckets` is how many of the 10,000 are told Supabase: between 1 and 10,000 in a ramp, else fixed."""

    name: StageName
    buckets: int

    @property
    def percentage(self) -> float:
        return self.buckets / PERCENT

    @property
    def label(self) -> str:
        """The spelling that `parse` reads: off, shadow, ramp 10, ramp 0.5, complete."""
        return f"ramp {self.percentage:g}" if self.name is StageName.RAMP else self.name.value

    @property
    def feeds(self) -> frozenset[Side]:
        """Which sides the server feeds."""
        if self.name is StageName.OFF:
            return frozenset({Side.LEGACY})
        if self.name is StageName.COMPLETE:
            return frozenset({Side.SUPABASE})
        return frozenset(Side)

    @property
    def height(self) -> int:
        """Position on the ladder, comparable."""
        return list(StageName).index(self.name) * (BUCKETS + 1) + self.buckets


OFF = Stage(name=StageName.OFF, buckets=0)
SHADOW = Stage(name=StageName.SHADOW, buckets=0)
COMPLETE = Stage(name=StageName.COMPLETE, buckets=BUCKETS)


def ramp(percentage: float) -> Stage:
    return Stage(name=StageName.RAMP, buckets=round(percentage * PERCENT))


LADDER = (OFF, SHADOW, *(ramp(p) for p in (10, 25, 50, 75, 100)), COMPLETE)


def parse(text: str) -> Stage:
    """Read off, shadow, complete, or a percentage such as 10, `ramp 10` or 0.5%. Raises RolloutError."""
    word = text.strip().lower()
    for stage in (OFF, SHADOW, COMPLETE):
        if word == stage.name:
            return stage
    if match := _RAMP.fullmatch(word):
        buckets = int(Decimal(match[1]) * PERCENT)
        if 1 <= buckets <= BUCKETS:
            return Stage(name=StageName.RAMP, buckets=buckets)
    raise RolloutError(f"{text!r} is not a stage: say off, shadow, complete, or a percentage from 0.01 to 100.")


def next_stage(stage: Stage) -> Stage | None:
    """Return the next rung of the ladder; None at its top."""
    return next((rung for rung in LADDER if rung.height > stage.height), None)


def is_forward(current: Stage, wanted: Stage) -> bool:
    return wanted.height > current.height


def check_change(current: Stage, wanted: Stage) -> None:
    """Refuse a change that is none, and one that goes past the next rung. Raises RolloutError."""
    if wanted == current:
        raise RolloutError(f"The dial is at {current.label} already.")
    following = next_stage(current)
    if following is not None and wanted.height > following.height:
        raise RolloutError(
            f"From {current.label} to {wanted.label} skips {following.label}: each stage has to pass its gate. "
            f"Go to {following.label} first."
        )
