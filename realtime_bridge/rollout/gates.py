"""Whether the dial may go on, has to wait, or must go back. Pure: windows in, a verdict with all its figures out.

Each window is judged by six criteria. One that is violated *beyond chance* fails; one that is violated but may be noise
is in doubt, and so is one without enough samples: doubt never turns back and never goes on. So a healthy side is not
rolled back by bad luck, and an unhealthy one does not advance on good luck.

Back:  the outage rule at once; a lost or reordered event at once; else k of the last m windows that failed, or windows
       that fail together although none alone does (a small but lasting fault).
On:    the last windows were all good by every criterion, on both sides.
Wait:  everything else. When legacy fails by the same criterion the cause is shared (a restart, the database), or going
       back would move users to the side that fails: that is waited for, and said.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from realtime_bridge.rollout import chance, latency
from realtime_bridge.rollout.gate_windows import GateWindow, pooled, samples
from realtime_bridge.rollout.policy import HORIZON, Policy
from realtime_bridge.rollout.windows import Sample, Side

ALPHA = 0.05  # one window: at 500 samples an error rate of 2 % fails where 1 % is allowed; k of m does the rest
POOL_ALPHA = 0.001  # windows together are judged anew with each window, so chance gets many tries
MARGIN = 0.75  # of the absolute limit: beside a faultless legacy side, 0.5 % is still healthy and 1 % is not
P95_SHARE = 0.05  # of all latencies may be above the p95


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
    MORE_ERRORS = "more_errors_than_legacy"
    SLOWER = "slower_than_legacy"


AT_ONCE = frozenset({Criterion.LOST, Criterion.REORDERED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One criterion on one side of one window: what was measured, what is allowed, what follows."""

    criterion: Criterion
    side: Side
    outcome: Outcome
    value: float | None
    limit: float
    samples: int

    @property
    def sentence(self) -> str:
        return f"{self.side}: {WORDS[self.criterion](self.value, self.limit)} ({self.samples} samples)"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRun:
    """Failed broadcasts in a row that stand now, and what the last one failed of, if that is known."""

    count: int = 0
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`windows` are those that decided, newest last, each with its findings."""

    outcome: Outcome
    reasons: tuple[str, ...]
    windows: tuple[tuple[GateWindow, tuple[Finding, ...]], ...] = ()

    def figures(self) -> dict[str, Any]:
        """Return everything that decided, as it is kept in the audit."""
        return {
            "outcome": self.outcome.value,
            "reasons": list(self.reasons),
            "windows": [_shown(window, findings) for window, findings in self.windows],
        }


def judge(windows: Sequence[GateWindow], policy: Policy, *, failures_now: Mapping[Side, FailureRun]) -> Verdict:
    """Return the verdict over `windows` of one stage, oldest first, and what each sink fails of at this moment."""
    if outage := _outage(failures_now, policy):
        return outage
    recent = windows[-policy.of_windows :]
    judged = tuple((window, _findings(window, policy, ALPHA)) for window in recent)
    if reasons := _failures(windows, judged, policy):
        return Verdict(outcome=Outcome.FAIL, reasons=tuple(reasons), windows=judged)
    good = tuple((w, _findings(w, policy, ALPHA)) for w in windows[-policy.pass_windows :])
    open_points = [finding for _, findings in good for finding in findings if finding.outcome is not Outcome.PASS]
    if len(good) < policy.pass_windows:
        text = f"{len(good)} of {policy.pass_windows} windows of at least {policy.min_samples} samples are measured."
        return Verdict(outcome=Outcome.HOLD, reasons=(text, *_open(open_points)), windows=judged)
    if open_points:
        return Verdict(outcome=Outcome.HOLD, reasons=tuple(_open(open_points)), windows=judged)
    text = f"The last {policy.pass_windows} windows are good by every criterion."
    return Verdict(outcome=Outcome.PASS, reasons=(text,), windows=good)


def _outage(failures_now: Mapping[Side, FailureRun], policy: Policy) -> Verdict | None:
    failing = failures_now.get(Side.SUPABASE, FailureRun())
    if failing.count <= policy.outage_failures:
        return None
    text = f"{failing.count} consecutive broadcast failures; more than {policy.outage_failures} are an outage."
    reasons = (text, f"The last: {failing.cause}") if failing.cause else (text,)
    legacy = failures_now.get(Side.LEGACY, FailureRun()).count
    if legacy > policy.outage_failures:
        return Verdict(outcome=Outcome.HOLD, reasons=(*reasons, f"Legacy fails, too ({legacy} in a row): no way back."))
    return Verdict(outcome=Outcome.FAIL, reasons=reasons)


def _failures(
    windows: Sequence[GateWindow], judged: Sequence[tuple[GateWindow, tuple[Finding, ...]]], policy: Policy
) -> list[str]:
    """Return why to go back, or nothing."""
    failed = [_unshared(findings) for _, findings in judged]
    at_once = [finding for findings in failed for finding in findings if finding.criterion in AT_ONCE]
    if at_once:
        return list(dict.fromkeys(finding.sentence for finding in at_once))
    bad = [findings for findings in failed if findings]
    if len(bad) >= policy.fail_windows:
        text = f"{len(bad)} of the last {len(judged)} windows failed."
        return [text, *dict.fromkeys(finding.sentence for findings in bad for finding in findings)]
    for span in (windows[-policy.of_windows :], windows[-HORIZON:]):
        if len(span) > 1 and (together := _unshared(_findings(pooled(span), policy, POOL_ALPHA))):
            text = f"The last {len(span)} windows together failed."
            return [text, *(finding.sentence for finding in together)]
    return []


def _unshared(findings: Sequence[Finding]) -> list[Finding]:
    """Return Supabase's failures, without those that legacy has as well."""
    shared = {f.criterion for f in findings if f.side is Side.LEGACY and f.outcome is Outcome.FAIL}
    return [f for f in findings if f.side is Side.SUPABASE and f.outcome is Outcome.FAIL and f.criterion not in shared]


def _findings(window: GateWindow, policy: Policy, alpha: float) -> tuple[Finding, ...]:
    mine = [finding for side in Side for finding in _absolute(window.of(side), policy, alpha)]
    return (*mine, *_relative(window, policy, alpha))


def _absolute(sample: Sample, policy: Policy, alpha: float) -> list[Finding]:
    slow = round(latency.share_above(sample.latency_counts, policy.p95_ms) * sum(sample.latency_counts))
    return [
        _count(Criterion.LOST, sample, sample.lost, policy),
        _count(Criterion.REORDERED, sample, sample.reordered, policy),
        _rate(Criterion.ERRORS, sample.side, sample.errors, sample.attempts, policy.error_rate, policy, alpha),
        _latency(Criterion.LATENCY, sample, slow, policy.p95_ms, policy, alpha),
    ]


def _relative(window: GateWindow, policy: Policy, alpha: float) -> list[Finding]:
    new, old = window.supabase, window.legacy
    few = min(samples(old), samples(new)) < policy.min_samples
    limit = _share(old.errors, old.attempts) + MARGIN * policy.error_rate
    worse = chance.exceeds(new.errors, new.attempts, limit, POOL_ALPHA)
    errors = Finding(
        criterion=Criterion.MORE_ERRORS,
        side=Side.SUPABASE,
        outcome=Outcome.HOLD if few else Outcome.FAIL if worse else Outcome.PASS,
        value=_share(new.errors, new.attempts),
        limit=limit,
        samples=new.attempts,
    )
    limit_ms = _slower_limit_ms(old, policy)
    slow = round(latency.share_above(new.latency_counts, limit_ms) * sum(new.latency_counts))
    return [errors, _latency(Criterion.SLOWER, new, slow, limit_ms, policy, alpha)]


def _count(criterion: Criterion, sample: Sample, count: int, policy: Policy) -> Finding:
    few = sample.sent < policy.min_samples
    outcome = Outcome.HOLD if few else Outcome.FAIL if count else Outcome.PASS
    return Finding(
        criterion=criterion, side=sample.side, outcome=outcome, value=float(count), limit=0.0, samples=sample.sent
    )


def _rate(
    criterion: Criterion, side: Side, events: int, trials: int, limit: float, policy: Policy, alpha: float
) -> Finding:
    return Finding(
        criterion=criterion,
        side=side,
        outcome=_outcome(events, trials, limit, policy, alpha),
        value=_share(events, trials) if trials else None,
        limit=limit,
        samples=trials,
    )


def _latency(criterion: Criterion, sample: Sample, slow: int, limit_ms: int, policy: Policy, alpha: float) -> Finding:
    trials = sum(sample.latency_counts)
    return Finding(
        criterion=criterion,
        side=sample.side,
        outcome=_outcome(slow, trials, P95_SHARE, policy, alpha),
        value=latency.percentile_ms(sample.latency_counts, 1 - P95_SHARE),
        limit=float(limit_ms),
        samples=trials,
    )


def _outcome(events: int, trials: int, limit: float, policy: Policy, alpha: float) -> Outcome:
    if trials < policy.min_samples:
        return Outcome.HOLD
    if events <= trials * limit:
        return Outcome.PASS
    return Outcome.FAIL if chance.exceeds(events, trials, limit, alpha) else Outcome.HOLD


def _slower_limit_ms(legacy: Sample, policy: Policy) -> int:
    """Return the bound that Supabase's p95 has to stay within: so many times legacy's, and no less than the floor."""
    wanted = max(
        policy.slower_times * (latency.percentile_ms(legacy.latency_counts, 0.95) or 0), policy.slower_floor_ms
    )
    return next((bound for bound in latency.BOUNDS_MS if bound >= wanted), latency.BOUNDS_MS[-1])


def _share(events: int, trials: int) -> float:
    return events / trials if trials else 0.0


def _open(findings: Sequence[Finding]) -> list[str]:
    """Return a sentence for each open point, the newest of its kind."""
    newest = {(finding.side, finding.criterion): finding for finding in findings}
    return [finding.sentence for finding in newest.values()]


def _shown(window: GateWindow, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "number": window.number,
        "startedAt": window.started_at.isoformat(),
        "endedAt": window.ended_at.isoformat(),
        "findings": [
            {
                "side": f.side.value,
                "criterion": f.criterion.value,
                "outcome": f.outcome.value,
                "value": f.value,
                "limit": f.limit,
                "samples": f.samples,
            }
            for f in findings
        ],
    }


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
    Criterion.MORE_ERRORS: lambda value, limit: (
        f"error rate {_percent(value)}, with legacy's at most {_percent(limit)}"
    ),
    Criterion.SLOWER: lambda value, limit: f"p95 {_ms(value)}, beside legacy's at most {_ms(limit)}",
}
