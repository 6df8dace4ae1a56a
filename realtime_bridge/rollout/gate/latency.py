"""Latency as a histogram: windows add up, percentiles do not. Pure; used by windows and gates."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

BOUNDS_MS = (
    1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 150, 200, 250, 300, 400, 500, 600, 800, 1_000, 1_500, 2_000, 3_000,
    5_000, 10_000, 30_000,
)  # fmt: skip
"""Upper ends, inclusive; one more bucket is open. 500 is among them: the gate's own limit is decided exactly."""
BUCKETS = len(BOUNDS_MS) + 1


def histogram(latencies_ms: Iterable[float]) -> list[int]:
    """Count each latency in its bucket; the list always has BUCKETS entries."""
    counts = [0] * BUCKETS
    for latency_ms in latencies_ms:
        counts[bisect_left(BOUNDS_MS, latency_ms)] += 1
    return counts


def total(histograms: Iterable[Sequence[int]]) -> list[int]:
    """Add histograms up; an empty one, as a writer of an earlier version leaves it, counts nothing."""
    counts = [0] * BUCKETS
    for histogram in histograms:
        for index, count in enumerate(histogram):
            counts[index] += count
    return counts


def share_above(counts: Sequence[int], limit_ms: int) -> float:
    """Return which share took longer than `limit_ms`, one of the bounds; 0 of nothing."""
    total = sum(counts)
    return sum(counts[BOUNDS_MS.index(limit_ms) + 1 :]) / total if total else 0.0


def percentile_ms(counts: Sequence[int], share: float) -> float | None:
    """Return the latency that `share` of the counted did not exceed, interpolated in its bucket; None of nothing.

    In the open bucket it is the last bound: "at least that".
    """
    total = sum(counts)
    if total == 0:
        return None
    wanted = share * total
    for index, reached in enumerate(accumulate(counts)):
        if reached >= wanted and counts[index]:
            if index == len(BOUNDS_MS):
                break
            low = BOUNDS_MS[index - 1] if index else 0
            inside = (wanted - (reached - counts[index])) / counts[index]
            return low + (BOUNDS_MS[index] - low) * max(0.0, inside)
    return float(BOUNDS_MS[-1])
