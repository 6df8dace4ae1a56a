"""Guide of an operator: what is next, as a command to type. Pure; `crossfade rollout status` shows it.

What is fed is what the bridges report, and never what a stage would have them feed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from realtime_bridge.fleet.reports import SinkState
from realtime_bridge.rollout import plan as schedule
from realtime_bridge.rollout.adoption import Adoption, people, sockets
from realtime_bridge.rollout.dial import stages
from realtime_bridge.rollout.dial.stages import Side, Stage, StageName
from realtime_bridge.rollout.following import Following
from realtime_bridge.rollout.gate.findings import Outcome
from realtime_bridge.rollout.gate.verdict import Verdict
from realtime_bridge.rollout.gate.windows import GateWindow, fewest_samples
from realtime_bridge.rollout.operators import can_agree
from realtime_bridge.rollout.store import Dial, Plan, Request

TOLD = {
    StageName.OFF: "every client is told legacy",
    StageName.SHADOW: "clients are told legacy and see nothing of it",
    StageName.RAMP: "{p:g} % of the users are told Supabase, the others legacy",
    StageName.COMPLETE: "every client is told Supabase",
}
UNKNOWN = "Who has moved is unknown: the database did not count it in time."
COHORT = " Supabase gets only conversations in which somebody is told Supabase, and the canary's."
AT_ENDS = {
    StageName.OFF: " at off",
    StageName.COMPLETE: " (at complete it watches Supabase, raises alarms and turns nothing)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    dial: Dial
    verdict: Verdict
    plan: Plan | None
    request: Request | None
    following: Following
    sinks: Mapping[str, SinkState]
    adoption: Adoption | None
    """None: it was not counted in time."""
    operators: Mapping[str, int]
    """The line of each key."""
    now: datetime
    measuring: GateWindow | None = None
    """The window that is not closed yet."""

    def is_fed(self, side: Side) -> bool:
        return side in self.sinks and self.sinks[side].is_delivered


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
    few = fewest_samples(window, at.dial.stage.feeds) if window else 0
    seconds = (window.ended_at - window.started_at).total_seconds() if window else 0
    return f"The open window has {few} of {policy.min_samples} samples after {seconds:.0f} of {policy.window_s} s."


def meaning(at: Situation) -> str:
    """Say what is fed, by what the bridges report, and what clients are told."""
    fed = [side for side in Side if at.is_fed(side)]
    words = {0: "Neither side is fed", 1: f"Only {_name(fed[0])} is fed" if fed else "", 2: "Both sides are fed"}
    complaint = at.following.complaint
    text = f"{words[len(fed)]}. {complaint}" if complaint else f"{words[len(fed)]}; {_told(at.dial.stage)}."
    if Side.SUPABASE in fed and at.sinks[Side.SUPABASE].is_cohort and at.dial.stage.name is not StageName.COMPLETE:
        text += COHORT
    stale = at.adoption.sides[Side.SUPABASE].told if at.adoption and at.dial.stage.name is StageName.OFF else 0
    if stale and Side.SUPABASE not in fed:
        text += f" {people(stale)} told Supabase by an answer of before: word to ask again is sent until they do."
    return text


def gate_word(at: Situation) -> str:
    """Return the gate's outcome, in words that hold at the ends of the ladder, where it holds nothing back."""
    name, outcome = at.dial.stage.name, at.verdict.outcome
    if name is StageName.OFF:
        return "not asked"
    return "watching" if name is StageName.COMPLETE and outcome is Outcome.HOLD else outcome.value


def gate_line(at: Situation) -> str:
    return f"Gate: {gate_word(at)}{AT_ENDS.get(at.dial.stage.name, '')}"


def advise(at: Situation) -> Advice:
    """Return the next step; the version in the command refuses it if somebody else was faster."""
    dial = at.dial
    if at.following.complaint:
        sentence = "Turning the dial does not do what it says until every bridge follows it; then look again."
        return Advice(sentence=sentence, command="crossfade rollout status")
    if at.request is not None:
        return _second(at, at.request)
    if at.plan is not None and at.plan.state == "running":
        return Advice(sentence=_waiting(at, at.plan), command="crossfade rollout status")
    if at.plan is not None and at.plan.state == "paused":
        sentence = f"The plan of {at.plan.created_by} is paused: {at.plan.reason}"
        return Advice(sentence=sentence, command="crossfade rollout plan --resume")
    return _by_hand(at, stages.next_stage(dial.stage))


def _second(at: Situation, request: Request) -> Advice:
    sentence = f"{request.wish} waits for a second operator; {request.requested_by} asked: {request.why}"
    if not can_agree(at.operators):
        sentence += " Nobody can agree: no two operators have keys, of whom neither added the other."
        end = "crossfade operators list" if at.operators else 'crossfade rollout approve --off --why "…"'
        return Advice(sentence=sentence, command=end)
    return Advice(sentence=sentence, command="crossfade rollout approve")


def _by_hand(at: Situation, following: stages.Stage | None) -> Advice:
    version = at.dial.version
    if following is None:
        sentence = (
            "The migration is done, and the legacy side may be taken down. Going back, to 100 %, means a ramp again, "
            "with legacy going on from then."
        )
        if at.adoption and at.adoption.left_count:
            sentence += f" {people(at.adoption.left_count)} left on legacy"
            open_ = at.adoption.left_sockets
            sentence += f", with {sockets(open_)}: those are told how to return, and closed." if open_ else "."
        return Advice(sentence=sentence, command="crossfade rollout left")
    if at.dial.stage.name is StageName.OFF:
        sentence = "Next, feed both sides and measure, while clients stay where they are."
        return Advice(sentence=sentence, command=f'crossfade rollout set shadow --version {version} --why "…"')
    if at.verdict.outcome is Outcome.FAIL:
        return Advice(sentence="The gate fails.", command='crossfade rollout rollback --why "…"')
    if at.verdict.outcome is Outcome.HOLD:
        policy = at.dial.policy
        windows = f"{policy.pass_windows} windows" if policy.pass_windows > 1 else "window"
        sentence = (
            f"{following.label} is next, when the gate has passed: the last {windows} of at least "
            f"{policy.window_s} s must be good. Look again later."
        )
        return Advice(sentence=sentence, command="crossfade rollout gate")
    return _forward(at, following)


def _forward(at: Situation, following: stages.Stage) -> Advice:
    command = f"crossfade rollout advance --version {at.dial.version}"
    if following.name is not StageName.COMPLETE:
        return Advice(sentence=f"The gate has passed: {following.label} is next.", command=command)
    if at.adoption is None:
        return Advice(sentence=f"The gate has passed. {UNKNOWN} Count again.", command="crossfade rollout left")
    if left := at.adoption.left_count:
        sentence = f"The gate has passed, but {people(left)} left on legacy, whom complete would cut off: see who."
        return Advice(sentence=sentence, command="crossfade rollout left")
    sentence = "The gate has passed, and nobody was heard on legacy for a day who has not moved: complete is next."
    return Advice(sentence=sentence, command=command)


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
    if step.stage.name is StageName.COMPLETE and at.adoption is None:
        return f"The plan waits at {at.dial.stage.label}. {UNKNOWN}"
    if step.stage.name is StageName.COMPLETE and at.adoption and at.adoption.left_count:
        return f"The plan waits at {at.dial.stage.label}: {people(at.adoption.left_count)} left on legacy."
    return f"The plan goes on to {step.stage.label} as soon as the gate passes."


def _told(stage: Stage) -> str:
    everybody = stage.name is StageName.RAMP and stage.percentage == 100  # noqa: PLR2004 per cent
    return TOLD[StageName.COMPLETE if everybody else stage.name].format(p=stage.percentage)


def _name(side: Side) -> str:
    return "Supabase" if side is Side.SUPABASE else "legacy"
