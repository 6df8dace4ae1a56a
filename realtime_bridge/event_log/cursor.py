"""Cursor of a sink in the log. Everything up to `high_water` is settled, except the holes below it. Pure.

Ids come from a sequence and are taken before their transaction commits, so a lower id can appear after a higher one.
Reading `id > last` loses such rows; waiting for every older transaction stalls behind any long one. Hence the holes:
a missing id below the high-water mark is remembered together with a bound: a transaction id that was given out after
the snapshot was taken. It closes when its row appears, or when a later snapshot's xmin has reached that bound:
whoever took the id has then ended, and had it committed, its row would have been visible to that very snapshot. (A
snapshot's own xmax is no such bound: it is one past the newest transaction that had *ended*, and a younger one may
hold an id already.) An id that was seen and left for later, because other accounts had their turn, stays in a hole: the
next read finds it there, and nothing is concluded from the lowest such id on, so no hole closes over it.

Two things carry the proof: the snapshot is taken by the statement that reads (reading.sql), and a writer owns its
transaction id before it takes a log id (it locks the conversation first).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Ids `first` to `last`, not settled: left for later, or missing so far, of transactions older than `xmax`."""

    first: int
    last: int
    xmax: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the reading statement could see: all transactions below `xmin` had ended, none from `bound` on had begun."""

    xmin: int
    bound: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    high_water: int
    holes: tuple[Hole, ...] = ()

    @property
    def hole_count(self) -> int:
        return sum(hole.last - hole.first + 1 for hole in self.holes)

    def advance(self, settled: Sequence[int], snapshot: Snapshot, *, up_to: int | None) -> "Cursor":
        """Return the cursor after `settled` (ascending ids found in holes or above the mark) are dealt with.

        Up to the id `up_to` everything visible was read and settled; None when that is so of the whole log. Beyond it
        nothing is concluded: a row may be there that was not looked at, or was left for later.
        """
        kept = [part for hole in self.holes for part in _still_missing(hole, settled, snapshot, up_to)]
        fresh = [
            Hole(first=before + 1, last=after - 1, xmax=snapshot.bound)
            for before, after in pairwise([self.high_water, *(id_ for id_ in settled if id_ > self.high_water)])
            if after - before > 1
        ]
        return Cursor(high_water=max([self.high_water, *settled[-1:]]), holes=(*kept, *fresh))


def _still_missing(hole: Hole, settled: Iterable[int], snapshot: Snapshot, up_to: int | None) -> Iterator[Hole]:
    """Yield the parts of `hole` whose ids have not appeared and still may."""
    first = hole.first
    if snapshot.xmin >= hole.xmax:  # whoever took these ids has ended: only what was not looked at stays open
        first = hole.last + 1 if up_to is None else max(hole.first, up_to + 1)
    for id_ in settled:
        if first <= id_ <= hole.last:
            if id_ > first:
                yield Hole(first=first, last=id_ - 1, xmax=hole.xmax)
            first = id_ + 1
    if first <= hole.last:
        yield Hole(first=first, last=hole.last, xmax=hole.xmax)
