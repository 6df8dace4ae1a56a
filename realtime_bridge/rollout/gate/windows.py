"""Windows that a gate judges, cut from slots once and for good. Pure.

Where a window ends is decided when it is cut and never again: judging the same samples in ever new cuts would be many
tries, and one of them trips by chance.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from math import ceil

from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate.policy import Policy
from realtime_bridge.rollout.gate.slots import SLOT_S, Sample, Window, total


@dataclass(frozen=True, slots=True, kw_only=True)
class GateWindow:
    """Both sides between two moments, within one version of the dial."""

    number: int
    started_at: datetime
    ended_at: datetime
    sides: Mapping[Side, Sample]

    @property
    def measured_s(self) -> float:
        """How long slots were open for it: a window that begins within a slot is measured from the next one on."""
        return max(0.0, self.ended_at.timestamp() - ceil(self.started_at.timestamp() / SLOT_S) * SLOT_S)


def samples(sample: Sample) -> int:
    """Return how many samples the scarcest figure of a side rests on."""
    return min(sample.sent, sample.attempts, sum(sample.latency_counts))


def fewest_samples(window: GateWindow, sides: Collection[Side]) -> int:
    return min(samples(window.sides[side]) for side in sides)


def cut(
    slots: Sequence[Window],
    policy: Policy,
    *,
    started_at: datetime,
    first_number: int,
    sides: Collection[Side] = tuple(Side),
) -> tuple[list[GateWindow], GateWindow | None]:
    """Return the windows that are complete, and the one that is not; `slots` begin at `started_at` and ascend.

    A window waits for the samples of `sides`, those that are fed.
    """
    closed: list[GateWindow] = []
    collected: list[Window] = []
    window = None
    for slot_start, both in groupby(slots, key=lambda slot: slot.window_start):
        collected += both
        ended_at = slot_start + timedelta(seconds=SLOT_S)
        window = _sum(collected, first_number + len(closed), started_at, ended_at)
        if _is_complete(window, policy, sides):
            closed.append(window)
            window, collected, started_at = None, [], ended_at
    return closed, window


def pooled(windows: Sequence[GateWindow]) -> GateWindow:
    """Return several windows as one."""
    return _sum(
        [sample for window in windows for sample in window.sides.values()],
        windows[-1].number,
        windows[0].started_at,
        windows[-1].ended_at,
    )


def _is_complete(window: GateWindow, policy: Policy, sides: Collection[Side]) -> bool:
    seconds = (window.ended_at - window.started_at).total_seconds()
    enough = fewest_samples(window, sides) >= policy.min_samples
    return seconds >= policy.max_window_s or (enough and seconds >= policy.window_s)


def _sum(parts: Sequence[Sample], number: int, started_at: datetime, ended_at: datetime) -> GateWindow:
    return GateWindow(
        number=number,
        started_at=started_at,
        ended_at=ended_at,
        sides={side: total(parts, side) for side in Side},
    )
