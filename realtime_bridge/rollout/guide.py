"""What an operator does next, as a command to type. Pure; `crossfade rollout status` shows it."""

from dataclasses import dataclass
from datetime import datetime

from realtime_bridge.rollout import schedule, stages
from realtime_bridge.rollout.findings import Outcome
from realtime_bridge.rollout.gate_windows import GateWindow, samples
from realtime_bridge.rollout.gates import Verdict
from realtime_bridge.rollout.stages import StageName
from realtime_bridge.rollout.store import Dial, Plan, Request

MEANING = {
    StageName.OFF: "Only legacy is fed, and every client is told legacy.",
    StageName.SHADOW: "Both sides are fed; clients are told legacy and see nothing of it.",
    StageName.RAMP: "Both sides are fed; {p:g} % of the users are told Supabase, the others legacy.",
    StageName.COMPLETE: "Only Supabase is fed, and every client is told Supabase.",
}
NO_KEEPER = "No bridge follows the dial: start one with CHAT_REALTIME_PROVIDER=rollout (python -m realtime_bridge)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    dial: Dial
    verdict: Verdict
    plan: Plan | None
    request: Request | None
    has_keeper: bool
    now: datetime
    measuring: GateWindow | None = None
    """The window that is not closed yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One sentence on where things stand, and the command that follows from it."""

    sentence: str
    command: str


def progress(at: Situation) -> str | None:
    """Say how far the measuring is, where that is what is waited for."""
    if at.dial.stage.name is StageName.OFF or at.verdict.outcome is not Outcome.HOLD:
        return None
    policy, window = at.dial.policy, at.measuring
    few = min(samples(window.legacy), samples(window.supabase)) if window else 0
    seconds = (window.ended_at - window.started_at).total_seconds() if window else 0
    return f"The open window has {few} of {policy.min_samples} samples after {seconds:.0f} of {policy.window_s} s."


def meaning(dial: Dial) -> str:
    return MEANING[dial.stage.name].format(p=dial.stage.percentage)


def advise(at: Situation) -> Advice:
    """Return the next step; the version in the command refuses it if somebody else was faster."""
    dial = at.dial
    if not at.has_keeper:
        return Advice(sentence=NO_KEEPER, command="crossfade rollout status")
    if at.request is not None:
        sentence = f"{at.request.stage} waits for a second operator; {at.request.requested_by} asked: {at.request.why}"
        return Advice(sentence=sentence, command="crossfade rollout approve")
    if at.plan is not None and at.plan.state == "running":
        return Advice(sentence=_waiting(at, at.plan), command="crossfade rollout status")
    if at.plan is not None and at.plan.state == "paused":
        sentence = f"The plan of {at.plan.created_by} is paused: {at.plan.reason}"
        return Advice(sentence=sentence, command="crossfade rollout plan --resume")
    return _by_hand(at, stages.next_stage(dial.stage))


def _by_hand(at: Situation, following: stages.Stage | None) -> Advice:
    version = at.dial.version
    if following is None:
        sentence = "The migration is done. Going back means a ramp again, with legacy going on from then."
        return Advice(sentence=sentence, command=f'crossfade rollout set 100 --version {version} --why "…"')
    if at.dial.stage.name is StageName.OFF:
        sentence = "Next, feed both sides and measure, while clients stay where they are."
        return Advice(sentence=sentence, command=f'crossfade rollout set shadow --version {version} --why "…"')
    if at.verdict.outcome is Outcome.FAIL:
        sentence = "The gate fails." if at.dial.stage.name is not StageName.COMPLETE else "The gate fails at complete."
        return Advice(sentence=sentence, command='crossfade rollout rollback --why "…"')
    if at.verdict.outcome is Outcome.HOLD:
        policy = at.dial.policy
        sentence = (
            f"{following.label} is next, when the gate has passed: the last {policy.pass_windows} windows of at least "
            f"{policy.window_s} s must be good. Look again later."
        )
        return Advice(sentence=sentence, command="crossfade rollout gate")
    if following.name is StageName.COMPLETE:
        sentence = "The gate has passed. complete stops feeding legacy: be sure that no old client is left."
    else:
        sentence = f"The gate has passed: {following.label} is next."
    return Advice(sentence=sentence, command=f"crossfade rollout advance --version {version}")


def _waiting(at: Situation, plan: Plan) -> str:
    steps = schedule.parse(plan.steps)
    step = schedule.following(steps, at.dial.stage)
    if step is None:
        return "The plan is done."
    until = schedule.holds_until(steps, at.dial.stage, at.dial.since)
    if until > at.now:
        return (
            f"The plan goes on to {step.stage.label} at {until:%Y-%m-%d %H:%M:%S}Z at the earliest, if the gate passes."
        )
    return f"The plan goes on to {step.stage.label} as soon as the gate passes."
