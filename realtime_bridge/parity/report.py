"""Report that compares both sides over a stretch of time. From the slots that were measured.

Pure; shown by `crossfade parity`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate import latency
from realtime_bridge.rollout.gate.slots import Sample, Window, total

COUNTS = ("sent", "seen", "lost", "repeated", "reordered", "attempts", "errors")
PERCENTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class SideReport:
    side: Side
    sent: int
    seen: int
    lost: int
    repeated: int
    reordered: int
    attempts: int
    errors: int
    error_rate: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


def summarize(slots: Sequence[Window]) -> list[SideReport]:
    """Return a line for each side; zeros for one that was not measured."""
    return [_report(total(slots, side)) for side in Side]


def sentence(reports: Sequence[SideReport]) -> str:
    """Say in one sentence what the figures mean."""
    measured = [report for report in reports if report.sent]
    if not measured:
        return "Nothing was measured: is the bridge running, with CROSSFADE_CANARY=on?"
    bad = [
        f"{report.side} lost {report.lost} and reordered {report.reordered}"
        for report in measured
        if report.lost or report.reordered
    ]
    if bad:
        return f"No parity: {'; '.join(bad)}."
    if len(measured) < len(reports):
        return f"Only {measured[0].side} was measured: the other side was not fed."
    return "Parity: on both sides every event was seen, in order."


def _report(sample: Sample) -> SideReport:
    p50_ms, p95_ms, p99_ms = (latency.percentile_ms(sample.latency_counts, share) for share in PERCENTILES)
    return SideReport(
        side=sample.side,
        **{name: getattr(sample, name) for name in COUNTS},
        error_rate=error_rate(sample),
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
    )


def error_rate(sample: Sample) -> float:
    return sample.errors / sample.attempts if sample.attempts else 0.0
