"""Ledger of what was sent, and seen of it on each side. Pure; kept by the canary, emptied by the samples writer.

A side is expected to show what was sent while it was fed and the canary sat in it. An event's fate is decided when it
is seen, or when its sink has long settled it and it still was not. One that the sink has not delivered yet is late, and
not lost: that shows in the failures of the sink, and in the latency when it comes.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate import latency
from realtime_bridge.rollout.gate.slots import Sample

UNSEEN_AFTER_S = 8.0  # a silent path is noticed after 5 s and what was not seen is sent again: later, it is lost
MAX_WAITING = 20_000  # at ten a second half an hour; beyond it the oldest are given up, undecided
MAX_SEEN = 5_000  # remembered to tell a repeat from news


@dataclass(slots=True)
class Figures:
    """What was decided since they were taken last."""

    seen: int = 0
    lost: int = 0
    repeated: int = 0
    reordered: int = 0
    unjoined: int = 0
    longest_loss: int = 0
    """Events lost in a row."""
    missed: int = 0
    """Events that were due and not sent, because whoever sends them was held up."""
    missed_lost: int = 0
    """Those of them that would have gone with an event that was lost."""
    rate_per_s: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _SideState:
    waiting: OrderedDict[int, tuple[float, ...]] = field(default_factory=OrderedDict)
    """By seq: when it was due, and when those were due that were missed before it."""
    seen: OrderedDict[int, float] = field(default_factory=OrderedDict)
    """By seq: when it appeared."""
    highest: int = -1
    suspects: frozenset[int] = frozenset()
    lost_in_a_row: int = 0
    figures: Figures = field(default_factory=Figures)


class Ledger:
    """Events of one conversation, told apart by seq (each has one eventId, which the caller has checked)."""

    def __init__(self) -> None:
        self._sides = {side: _SideState() for side in Side}

    def due(self, side: Side, rate_per_s: float) -> None:
        """Note how many events a second should be there to be judged."""
        figures = self._sides[side].figures
        figures.rate_per_s = max(figures.rate_per_s, rate_per_s)

    def sent(self, seq: int, at: float, sides: Iterable[Side], missed: Sequence[float] = ()) -> None:
        """Expect an event that was due at `at` (monotonic seconds) to appear on `sides`.

        It also stands for those that were `missed` before it, each due at its own moment: whoever had sent them then
        would have waited until this one is seen.
        """
        for side in sides:
            state = self._sides[side]
            state.waiting[seq] = (at, *missed)
            if seq in state.seen:  # it was faster than the answer of the database
                state.highest = max(state.highest, seq)
                self._decide(state, seq, state.seen[seq])
                continue
            if len(state.waiting) > MAX_WAITING:
                state.waiting.popitem(last=False)

    def saw(self, side: Side, seq: int, at: float) -> float | None:
        """Note an appearance; return its latency in ms when it was waited for."""
        state = self._sides[side]
        if seq in state.seen:
            state.figures.repeated += 1
            return None
        state.seen[seq] = at
        if len(state.seen) > MAX_SEEN:
            state.seen.popitem(last=False)
        if seq not in state.waiting:
            return None  # sent before anything counted: a socket that joins late is handed the newest first, rightly
        state.figures.reordered += seq < state.highest
        state.highest = max(state.highest, seq)
        return self._decide(state, seq, at)

    def unjoined(self, side: Side) -> None:
        """Note that an event was sent while the canary could not get into a side that is fed."""
        self._sides[side].figures.unjoined += 1

    def excuse(self, side: Side) -> None:
        """Stop waiting on a side whose socket broke or which is no longer fed: nobody knows what it would have seen."""
        state = self._sides[side]
        state.waiting.clear()
        state.suspects = frozenset()
        state.lost_in_a_row = 0
        state.highest = -1

    def unseen(self, side: Side, now: float) -> list[int]:
        """Return what should have been seen by now; ask its sink, then call `settle`."""
        return [seq for seq, due in self._sides[side].waiting.items() if now - due[0] > UNSEEN_AFTER_S]

    def settle(self, side: Side, settled: frozenset[int]) -> list[int]:
        """Count as lost what was settled by the sink in this look *and* the one before; return it."""
        state = self._sides[side]
        lost = sorted(settled & state.suspects & state.waiting.keys())
        state.suspects = settled - state.suspects
        for seq in lost:
            state.figures.missed_lost += len(state.waiting.pop(seq)) - 1
        state.figures.lost += len(lost)
        state.lost_in_a_row += len(lost)
        state.figures.longest_loss = max(state.figures.longest_loss, state.lost_in_a_row)
        return lost

    def waiting(self, side: Side) -> int:
        return len(self._sides[side].waiting)

    def take(self, side: Side) -> Figures:
        """Return the figures since the last call, and start anew."""
        state = self._sides[side]
        figures, state.figures = state.figures, Figures()
        return figures

    def _decide(self, state: _SideState, seq: int, at: float) -> float:
        """Count an event that is seen at `at`, with those that it stands for; return its own latency in ms."""
        latencies_ms = [max(0.0, (at - due) * 1_000) for due in state.waiting.pop(seq)]
        state.figures.seen += 1
        state.figures.missed += len(latencies_ms) - 1
        state.lost_in_a_row = 0
        state.figures.latencies_ms += latencies_ms
        return latencies_ms[0]


def sample(side: Side, figures: Figures) -> Sample:
    """Return figures in the form in which slots are stored.

    A send that nobody could receive is a failed try, and events lost in a row are failures in a row: a side that
    accepts everything and delivers nothing is down. The latency of a lost event is the longest there is.
    """
    never = figures.lost + figures.missed_lost
    return Sample(
        side=side,
        sent=figures.seen + figures.lost,
        seen=figures.seen,
        lost=figures.lost,
        repeated=figures.repeated,
        reordered=figures.reordered,
        attempts=figures.unjoined,
        errors=figures.unjoined,
        consecutive_failures=max(figures.unjoined, figures.longest_loss),
        latency_counts=latency.histogram([*figures.latencies_ms, *[float("inf")] * never]),
        missed=figures.missed + figures.missed_lost,
        rate_per_s=figures.rate_per_s,
    )
