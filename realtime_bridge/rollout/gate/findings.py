"""Findings of a gate in a window: measured, allowed, outcome. Pure; `verdict.py` judges the whole."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate import chance, latency
from realtime_bridge.rollout.gate.policy import Policy
from realtime_bridge.rollout.gate.slots import Sample
from realtime_bridge.rollout.gate.windows import GateWindow, samples

ALPHA = 0.05  # one window: at 500 samples an error rate of 2 % fails where 1 % is allowed; k of m does the rest
POOL_ALPHA = 0.001  # windows together are judged anew with each window, so chance gets many tries
MARGIN = 0.75  # of the absolute limit: beside a faultless legacy side, 0.5 % is still healthy and 1 % is not
P95_SHARE = 0.05  # of all latencies may be above the p95
ENOUGH = 20  # of what comes as it comes: of fewer, one slow one is 5 %
MISSING_SHARE = 0.1  # of the schedule: a join after a change takes a second or two, and a window a minute


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105 - no password
    HOLD = "hold"
    FAIL = "fail"


class Criterion(StrEnum):
    OUTAGE = "outage"
    LOST = "lost"
    REORDERED = "reordered"
    ERRORS = "errors"
    LATENCY = "latency"
    DELIVERED = "delivered"
    LOOP = "loop"
    MISSING = "missing"
    MORE_ERRORS = "more_errors_than_legacy"
    SLOWER = "slower_than_legacy"


AT_ONCE = frozenset({Criterion.LOST, Criterion.REORDERED})


@dataclass(frozen=True, slots=True)
class Finding:
    """One criterion on one side of one window: what was measured, what is allowed, what follows."""

    side: Side
    criterion: Criterion
    outcome: Outcome
    value: float | None
    limit: float
    samples: int

    @property
    def sentence(self) -> str:
        return f"{self.side}: {WORDS[self.criterion](self.value, self.limit)} ({self.samples} samples)"


def of_window(window: GateWindow, policy: Policy, alpha: float, sides: Collection[Side]) -> tuple[Finding, ...]:
    """Return what each criterion finds on the `sides` that are fed, and on the one beside the other where both are."""
    mine = [
        finding
        for side in Side
        if side in sides
        for finding in (*_absolute(window.sides[side], policy, alpha), _missing(window, side))
    ]
    return (*mine, *(_relative(window, policy, alpha) if len(sides) > 1 else ()))


def _absolute(sample: Sample, policy: Policy, alpha: float) -> list[Finding]:
    errors, attempts, limit = sample.errors, sample.attempts, policy.error_rate
    wrong, share = _outcome(errors, attempts, limit, policy, alpha), _share(errors, attempts) if attempts else None
    return [
        _count(Criterion.LOST, sample, sample.lost, policy),
        _count(Criterion.REORDERED, sample, sample.reordered, policy),
        Finding(sample.side, Criterion.ERRORS, wrong, share, limit, attempts),
        _latency(Criterion.LATENCY, sample, policy.p95_ms, policy, alpha),
        _seldom(Criterion.DELIVERED, sample.side, sample.delivered_counts, policy, alpha),
        _seldom(Criterion.LOOP, sample.side, sample.lag_counts, policy, alpha),
    ]


def _relative(window: GateWindow, policy: Policy, alpha: float) -> list[Finding]:
    new, old = window.sides[Side.SUPABASE], window.sides[Side.LEGACY]
    few = min(samples(old), samples(new)) < policy.min_samples
    limit = _share(old.errors, old.attempts) + MARGIN * policy.error_rate
    worse = chance.exceeds(new.errors, new.attempts, limit, POOL_ALPHA)
    outcome = Outcome.HOLD if few else Outcome.FAIL if worse else Outcome.PASS
    return [
        Finding(new.side, Criterion.MORE_ERRORS, outcome, _share(new.errors, new.attempts), limit, new.attempts),
        _latency(Criterion.SLOWER, new, _slower_limit_ms(old, policy), policy, alpha),
    ]


def _seldom(criterion: Criterion, side: Side, counts: Sequence[int], policy: Policy, alpha: float) -> Finding:
    """Judge what comes as it comes: nobody waits for samples of it, but what is there and slow speaks."""
    slow, trials = _slow(counts, policy.p95_ms), sum(counts)
    is_slow = trials >= ENOUGH and slow > trials * P95_SHARE
    bad = Outcome.FAIL if chance.exceeds(slow, trials, P95_SHARE, alpha) else Outcome.HOLD
    return Finding(side, criterion, bad if is_slow else Outcome.PASS, _p95_ms(counts), float(policy.p95_ms), trials)


def _missing(window: GateWindow, side: Side) -> Finding:
    """Hold where samples are missing: what was not measured may have been anything."""
    sample = window.sides[side]
    due = int(sample.rate_per_s * window.measured_s)
    there = sum(sample.latency_counts)
    share = max(0.0, 1 - there / due) if due else None
    outcome = Outcome.HOLD if share is not None and share > MISSING_SHARE else Outcome.PASS
    return Finding(side, Criterion.MISSING, outcome, share, MISSING_SHARE, there)


def _count(criterion: Criterion, sample: Sample, count: int, policy: Policy) -> Finding:
    few = sample.sent < policy.min_samples
    outcome = Outcome.HOLD if few else Outcome.FAIL if count else Outcome.PASS
    return Finding(sample.side, criterion, outcome, float(count), 0.0, sample.sent)


def _latency(criterion: Criterion, sample: Sample, limit_ms: int, policy: Policy, alpha: float) -> Finding:
    counts, trials = sample.latency_counts, sum(sample.latency_counts)
    outcome = _outcome(_slow(counts, limit_ms), trials, P95_SHARE, policy, alpha)
    return Finding(sample.side, criterion, outcome, _p95_ms(counts), float(limit_ms), trials)


def _outcome(events: int, trials: int, limit: float, policy: Policy, alpha: float) -> Outcome:
    if trials < policy.min_samples:
        return Outcome.HOLD
    if events <= trials * limit:
        return Outcome.PASS
    return Outcome.FAIL if chance.exceeds(events, trials, limit, alpha) else Outcome.HOLD


def _slower_limit_ms(legacy: Sample, policy: Policy) -> int:
    """Return the bound that Supabase's p95 has to stay within: so many times legacy's, and no less than the floor."""
    wanted = max(policy.slower_times * (_p95_ms(legacy.latency_counts) or 0), policy.slower_floor_ms)
    return next((bound for bound in latency.BOUNDS_MS if bound >= wanted), latency.BOUNDS_MS[-1])


def _slow(counts: Sequence[int], limit_ms: int) -> int:
    return round(latency.share_above(counts, limit_ms) * sum(counts))


def _p95_ms(counts: Sequence[int]) -> float | None:
    return latency.percentile_ms(counts, 1 - P95_SHARE)


def _share(events: int, trials: int) -> float:
    return events / trials if trials else 0.0


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} ms"


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2%}"


WORDS: Mapping[Criterion, Callable[[float | None, float], str]] = {
    Criterion.OUTAGE: lambda value, limit: f"{value:.0f} failures in a row, more than {limit:.0f}",
    Criterion.LOST: lambda value, _: f"{value:.0f} events lost",
    Criterion.REORDERED: lambda value, _: f"{value:.0f} events out of order",
    Criterion.ERRORS: lambda value, limit: f"error rate {_percent(value)}, at most {_percent(limit)}",
    Criterion.LATENCY: lambda value, limit: f"p95 {_ms(value)}, at most {_ms(limit)}",
    Criterion.DELIVERED: lambda value, limit: f"p95 of everybody's events {_ms(value)}, at most {_ms(limit)}",
    Criterion.LOOP: lambda value, limit: f"the bridge itself is p95 {_ms(value)} late, at most {_ms(limit)}",
    Criterion.MISSING: lambda value, limit: f"{_percent(value)} of the samples are missing, at most {_percent(limit)}",
    Criterion.MORE_ERRORS: lambda value, limit: (
        f"error rate {_percent(value)}, with legacy's at most {_percent(limit)}"
    ),
    Criterion.SLOWER: lambda value, limit: f"p95 {_ms(value)}, beside legacy's at most {_ms(limit)}",
}
_MS = frozenset({Criterion.LATENCY, Criterion.DELIVERED, Criterion.LOOP, Criterion.SLOWER})
_SHARES = frozenset({Criterion.ERRORS, Criterion.MORE_ERRORS, Criterion.MISSING})


def shown_values(finding: Finding) -> tuple[str, str]:
    """Return what was measured and what is allowed, with their units."""
    if finding.criterion in _MS:
        return (f"p95 {_ms(finding.value)}" if finding.value is not None else "-", _ms(finding.limit))
    if finding.criterion in _SHARES:
        return (_percent(finding.value) if finding.value is not None else "-", _percent(finding.limit))
    return (f"{finding.value:.0f} events" if finding.value is not None else "-", f"{finding.limit:.0f}")
