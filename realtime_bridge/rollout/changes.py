"""Turning the dial. Each function is one transaction: the change, what follows from it, and its line in the audit.

Called by `crossfade rollout` for operators and by the keeper for gates and plans. A rollback is never refused: not by a
gate, not for want of an approval, and not because somebody else has turned the dial meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from realtime_bridge.rollout import schedule, stages, store
from realtime_bridge.rollout.decision import Kind, Told
from realtime_bridge.rollout.errors import (
    ApprovalNeeded,
    ApprovalRefused,
    GateHolds,
    PlanRefused,
    VersionConflict,
)
from realtime_bridge.rollout.findings import Outcome
from realtime_bridge.rollout.gates import Verdict
from realtime_bridge.rollout.policy import Policy
from realtime_bridge.rollout.stages import OFF, Stage, StageName
from realtime_bridge.rollout.store import Connection, Dial, Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A change as somebody asks for it. `version` is the one that was seen; None takes what is there."""

    flag: str
    stage: Stage
    actor: str
    why: str
    version: int | None = None
    action: str = "set"
    is_forced: bool = False
    """Go on without a passing gate; the audit says so."""


async def turn(connection: Connection, wish: Wish, verdict: Verdict) -> int:
    """Carry out a wish of an operator or a plan; return the new version.

    `verdict` is the gate's over the current stage. Raises StageRefused, VersionConflict, GateHolds, or ApprovalNeeded
    after noting the wish for a second operator.
    """
    async with connection.transaction():
        dial = await store.lock_dial(connection, wish.flag)
        _check_version(dial, wish.version)
        stages.check_change(dial.stage, wish.stage)
        if stages.is_forward(dial.stage, wish.stage):
            _check_gate(dial, wish, verdict)
            if dial.needs_approval:
                await _request(connection, dial, wish)
        if not dial.needs_approval or not stages.is_forward(dial.stage, wish.stage):
            return await _turn(connection, dial, wish, verdict.figures())
    raise ApprovalNeeded(f"{wish.stage.label} waits for a second operator: crossfade rollout approve")


async def roll_back(
    connection: Connection,
    flag: str,
    *,
    actor: str,
    why: str,
    stage: Stage = OFF,
    action: str = "rollback",
    version: int | None = None,
    figures: Mapping[str, Any] | None = None,
) -> int | None:
    """Go back to `stage` at once; return the new version, or None when the dial is there or below already.

    With `version` only if the dial has not moved since (a gate judged that version and no other).
    """
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        if not stages.is_forward(stage, dial.stage) or version not in (None, dial.version):
            return None
        wish = Wish(flag=flag, stage=stage, actor=actor, why=why, action=action)
        return await _turn(connection, dial, wish, figures)


async def approve(connection: Connection, flag: str, *, actor: str, verdict: Verdict) -> int:
    """Carry out what waits, as a second operator. Raises ApprovalRefused, or what `turn` raises."""
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        request = await store.find_request(connection, flag)
        if request is None:
            raise ApprovalRefused("Nothing waits for an approval.")
        if request.requested_by == actor:
            raise ApprovalRefused(f"{actor} asked for it; somebody else has to approve.")
        stage = stages.parse(request.stage)
        why = f"{request.why} (asked by {request.requested_by})"
        wish = Wish(flag=flag, stage=stage, actor=actor, why=why, version=request.version, action="approve")
        _check_version(dial, request.version)
        stages.check_change(dial.stage, stage)
        _check_gate(dial, wish, verdict, is_second=True)
        await store.approve_request(connection, request, actor)
        return await _turn(connection, dial, wish, verdict.figures())


async def put_override(
    connection: Connection, flag: str, kind: Kind, subject: UUID, provider: Told, *, actor: str, why: str
) -> None:
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        await store.put_override(connection, flag, kind, subject, provider, why=why, actor=actor)
        await _note(connection, dial, actor, "override_add", f"{kind} {subject} → {provider}: {why}")


async def delete_override(
    connection: Connection, flag: str, kind: Kind, subject: UUID, *, actor: str, why: str
) -> bool:
    """Return whether there was one."""
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        found = await store.delete_override(connection, flag, kind, subject)
        if found:
            await _note(connection, dial, actor, "override_remove", f"{kind} {subject}: {why}")
    return found


async def set_policy(connection: Connection, flag: str, changes: Mapping[str, Any], *, actor: str, why: str) -> Policy:
    """Change gate settings; raises PolicyRefused. The current windows are judged by the new ones from now on."""
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        policy = Policy.of({**dial.policy.changes(), **changes})
        await store.set_policy(connection, flag, policy)
        words = " ".join(f"{name}={value}" for name, value in changes.items())
        await _note(connection, dial, actor, "policy", f"{words}: {why}")
    return policy


async def set_needs_approval(connection: Connection, flag: str, *, needed: bool, actor: str, why: str) -> None:
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        await store.set_needs_approval(connection, flag, needed=needed)
        await _note(connection, dial, actor, "approvals_on" if needed else "approvals_off", why)


async def start_plan(connection: Connection, flag: str, words: list[str], *, actor: str, why: str) -> None:
    """Begin a plan, in place of any other. Raises PlanRefused."""
    steps = schedule.parse(words)
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        schedule.check(steps, dial.stage)
        await store.put_plan(connection, flag, words, why=why, actor=actor)
        await _note(connection, dial, actor, "plan", f"{' '.join(words)}: {why}")


async def set_plan_state(connection: Connection, flag: str, state: str, *, actor: str, why: str) -> None:
    """Pause, resume or stop a plan. Raises PlanRefused."""
    from_states = {"paused": ["running"], "running": ["paused"], "stopped": ["running", "paused"]}[state]
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        if not await store.set_plan_state(connection, flag, state, why, from_states=from_states):
            raise PlanRefused(f"There is no {' or '.join(from_states)} plan.")
        await _note(connection, dial, actor, f"plan_{state}", why)


async def note_alarm(connection: Connection, flag: str, version: int, *, why: str, figures: Mapping[str, Any]) -> None:
    """Keep the figures of a gate that fails where the dial does not turn back by itself."""
    await store.note(
        connection, Note(flag=flag, actor="gate", action="gate_failed", why=why, version=version, figures=figures)
    )


async def _turn(connection: Connection, dial: Dial, wish: Wish, figures: Mapping[str, Any] | None) -> int:
    version = await store.turn(connection, dial, wish.stage)
    await store.withdraw_request(connection, dial.flag)
    if wish.action == "plan":
        plan = await store.find_plan(connection, dial.flag)
        if plan and schedule.following(schedule.parse(plan.steps), wish.stage) is None:
            await store.set_plan_state(connection, dial.flag, "done", f"reached {wish.stage.label}")
    elif wish.action != "approve":
        await store.set_plan_state(connection, dial.flag, "stopped", f"{wish.action} by {wish.actor}: {wish.why}")
    line = Note(
        flag=dial.flag,
        actor=wish.actor,
        action=f"{wish.action}_forced" if wish.is_forced else wish.action,
        why=wish.why,
        version=version,
        from_stage=dial.stage.label,
        to_stage=wish.stage.label,
        figures=figures,
    )
    await store.note(connection, line)
    return version


async def _request(connection: Connection, dial: Dial, wish: Wish) -> None:
    await store.put_request(connection, dial, wish.stage, why=wish.why, actor=wish.actor)
    await _note(connection, dial, wish.actor, "request", f"{wish.stage.label}: {wish.why}")


async def _note(connection: Connection, dial: Dial, actor: str, action: str, why: str) -> None:
    await store.note(connection, Note(flag=dial.flag, actor=actor, action=action, why=why, version=dial.version))


def _check_version(dial: Dial, seen: int | None) -> None:
    if seen is not None and seen != dial.version:
        by = f" by {dial.changed_by}" if dial.changed_by else ""
        raise VersionConflict(
            f"The dial moved meanwhile: it is at {dial.stage.label} since {dial.since:%H:%M:%S}Z{by}, version "
            f"{dial.version}, and no longer at version {seen}. Look at crossfade rollout status and decide again."
        )


def _check_gate(dial: Dial, wish: Wish, verdict: Verdict, *, is_second: bool = False) -> None:
    if wish.is_forced or dial.stage.name is StageName.OFF or verdict.outcome is Outcome.PASS:
        return
    if is_second and verdict.outcome is not Outcome.FAIL:
        return  # the gate had passed when it was asked for, and nothing speaks against it since
    word = "fails" if verdict.outcome is Outcome.FAIL else "has not passed"
    raise GateHolds(f"The gate of {dial.stage.label} {word}: {' '.join(verdict.reasons)}")
