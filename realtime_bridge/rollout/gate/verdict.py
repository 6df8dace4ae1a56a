"""Verdict whether the dial may go on, waits, or goes back. Pure: windows in, a verdict with all its figures out.

Each window is judged by the criteria of `findings.py`. One that is violated *beyond chance* fails; one that is violated
but may be noise is in doubt, and so is one without enough samples: doubt never turns back and never goes on. So a
healthy side is not rolled back by bad luck, and an unhealthy one does not advance on good luck.

Back:  the outage rule at once; a lost or reordered event at once; else k of the last m windows that failed, or windows
       that fail together although none alone does (a small but lasting fault).
On:    the last windows were all good by every criterion, on both sides.
Wait:  everything else. When legacy fails by the same criterion the cause is shared (a restart, the database), or going
       back would move users to the side that fails: that is waited for, and said.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate.findings import ALPHA, AT_ONCE, POOL_ALPHA, Finding, Outcome, of_window
from realtime_bridge.rollout.gate.policy import HORIZON, Policy
from realtime_bridge.rollout.gate.windows import GateWindow, pooled

BOTH = frozenset(Side)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRun:
    """Failed broadcasts in a row that stand now, what the last one failed of, and what the side waits for, if known."""

    count: int = 0
    cause: str | None = None
    waiting_for: str | None = None


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
            "windows": [
                {
                    "number": window.number,
                    "startedAt": window.started_at.isoformat(),
                    "endedAt": window.ended_at.isoformat(),
                    "findings": [asdict(finding) for finding in findings],
                }
                for window, findings in self.windows
            ],
        }


def judge(
    windows: Sequence[GateWindow],
    policy: Policy,
    *,
    failures_now: Mapping[Side, FailureRun],
    sides: Collection[Side] = BOTH,
) -> Verdict:
    """Return the verdict over `windows` of one stage, oldest first, and what each sink fails of at this moment.

    `sides` are those that the stage feeds: of another nothing is asked.
    """
    if outage := _outage(failures_now, policy):
        return outage
    waits = {side: run.waiting_for for side, run in failures_now.items() if side in sides and run.waiting_for}
    waiting = [f"{side} is behind: {reason}" for side, reason in waits.items()]
    recent = windows[-policy.of_windows :]
    judged = tuple((window, of_window(window, policy, ALPHA, sides)) for window in recent)
    if reasons := _failures(windows, judged, policy, sides):
        return Verdict(outcome=Outcome.FAIL, reasons=tuple(reasons), windows=judged)
    good = tuple((w, of_window(w, policy, ALPHA, sides)) for w in windows[-policy.pass_windows :])
    open_points = [finding for _, findings in good for finding in findings if finding.outcome is not Outcome.PASS]
    if len(good) < policy.pass_windows:
        wanted = "1 window" if policy.pass_windows == 1 else f"{policy.pass_windows} windows"
        waiting.append(f"{len(good)} of {wanted} of at least {policy.min_samples} samples measured.")
    if open_points or waiting:
        return Verdict(outcome=Outcome.HOLD, reasons=(*waiting, *_open(open_points)), windows=judged)
    many = f"last {policy.pass_windows} windows are" if policy.pass_windows > 1 else "last window is"
    text = f"The {many} good by every criterion."
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
    windows: Sequence[GateWindow],
    judged: Sequence[tuple[GateWindow, tuple[Finding, ...]]],
    policy: Policy,
    sides: Collection[Side],
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
        if len(span) > 1 and (together := _unshared(of_window(pooled(span), policy, POOL_ALPHA, sides))):
            text = f"The last {len(span)} windows together failed."
            return [text, *(finding.sentence for finding in together)]
    return []


def _unshared(findings: Sequence[Finding]) -> list[Finding]:
    """Return Supabase's failures, without those that legacy has as well."""
    shared = {f.criterion for f in findings if f.side is Side.LEGACY and f.outcome is Outcome.FAIL}
    return [f for f in findings if f.side is Side.SUPABASE and f.outcome is Outcome.FAIL and f.criterion not in shared]


def _open(findings: Sequence[Finding]) -> list[str]:
    """Return a sentence for each open point, the newest of its kind."""
    newest = {(finding.side, finding.criterion): finding for finding in findings}
    return [finding.sentence for finding in newest.values()]
