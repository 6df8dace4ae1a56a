"""Changes of the dial. Each function is one transaction: the change, what follows from it, and its line in the audit.

Called by `crossfade rollout` for operators and by the keeper for gates and plans. A rollback is never refused: not by a
gate, not for want of an approval, and not because somebody else has turned the dial meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from realtime_bridge.rollout import adoption, following, operators, rules, store
from realtime_bridge.rollout import plan as schedule
from realtime_bridge.rollout.adoption import Adoption
from realtime_bridge.rollout.dial import stages
from realtime_bridge.rollout.dial.errors import RolloutError, UsersLeft
from realtime_bridge.rollout.dial.stages import OFF, Stage, StageName
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.gate.findings import Outcome
from realtime_bridge.rollout.gate.verdict import Verdict
from realtime_bridge.rollout.operators import Who
from realtime_bridge.rollout.store import Action, Dial, Request
from realtime_bridge.rollout.wishes import Change, Wish, changing

SAID = 5  # users in a sentence; `crossfade rollout left` has them all


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What a second operator has carried out; `key` is the new operator's, which exists nowhere else."""

    request: Request
    version: int
    key: str | None = None


async def turn(connection: Connection, wish: Wish, verdict: Verdict, found: Adoption | None = None) -> int:
    """Carry out a wish of an operator or a plan; return the new version.

    `verdict` is the gate's over the current stage; `found` is who has moved, from whoever has just counted. Raises
    NobodyFollows, UsersLeft, NotCounted, ApprovalNeeded after noting the wish for a second operator, or RolloutError.
    """
    found = found or await _find_left(connection, wish.flag, wish.stage)
    figures = verdict.figures()
    async with changing(connection, wish.flag, wish.by) as change:
        dial = change.dial
        _check_version(dial, wish.version)
        stages.check_change(dial.stage, wish.stage)
        if stages.is_forward(dial.stage, wish.stage):
            if not wish.is_forced:
                await following.check(connection, wish.flag)
            _check_gate(dial, wish, verdict)
            figures |= _check_left(found, wish)
            if dial.needs_approval:
                await change.ask(Action.SET, wish)
        return await _turn(change, wish, figures)


async def roll_back(
    connection: Connection,
    flag: str,
    *,
    by: Who,
    why: str,
    stage: Stage = OFF,
    action: str = "rollback",
    version: int | None = None,
    figures: Mapping[str, Any] | None = None,
) -> int | None:
    """Go back to `stage` at once; return the new version, or None when the dial is there or below already.

    With `version` only if the dial has not moved since (a gate judged that version and no other).
    """
    async with changing(connection, flag, by) as change:
        if not stages.is_forward(stage, change.dial.stage) or version not in (None, change.dial.version):
            return None
        return await _turn(change, Wish(flag=flag, stage=stage, by=by, why=why, action=action), figures)


async def approve(
    connection: Connection, flag: str, *, by: Who, verdict: Verdict, why: str = "", is_forced: bool = False
) -> Agreed:
    """Carry out what waits, as a second operator. Raises RolloutError, or what `turn` raises.

    Hours may lie in between: what was true when it was asked for is asked again. `is_forced` goes on without a bridge
    that follows, and not without the gate.
    """
    asked = await store.find_request(connection, flag)
    found = (
        await _find_left(connection, flag, stages.parse(asked.stage)) if asked and asked.action is Action.SET else None
    )
    async with changing(connection, flag, by) as change:
        request = await store.find_request(connection, flag)
        if request is None:
            raise RolloutError("Nothing waits for an approval.")
        if asked is None or request.id != asked.id:
            raise RolloutError("Another wish was put in its place meanwhile: look at crossfade rollout status.")
        _check_second(request, by, await operators.lines(connection))
        if request.action is not Action.SET:
            await store.approve_request(connection, request, by)
            return await _agree(change, request)
        wish = Wish(
            flag=flag,
            stage=stages.parse(request.stage),
            by=by,
            why=f"{request.why} (asked by {request.requested_by}){f'; {why}' if why else ''}",
            version=request.version,
            action="approve",
            is_forced=is_forced,
            leave_behind=request.leave_behind,
        )
        _check_version(change.dial, request.version)
        stages.check_change(change.dial.stage, wish.stage)
        if not is_forced:
            await following.check(connection, flag)
        _check_gate(change.dial, wish, verdict, is_second=True)
        figures = verdict.figures() | _check_left(found, wish)
        await store.approve_request(connection, request, by)
        return Agreed(request=request, version=await _turn(change, wish, figures))


async def _turn(change: Change, wish: Wish, figures: Mapping[str, Any] | None) -> int:
    connection, flag = change.connection, change.dial.flag
    version = await store.turn(connection, change.dial, wish.stage)
    await store.withdraw_request(connection, flag)
    if wish.action == "plan":
        plan = await store.find_plan(connection, flag)
        if plan and schedule.following(schedule.parse(plan.steps), wish.stage) is None:
            await store.set_plan_state(connection, flag, "done", f"reached {wish.stage.label}")
    elif wish.action != "approve":
        await store.set_plan_state(connection, flag, "stopped", f"{wish.action} by {wish.by.actor}: {wish.why}")
    action = f"{wish.action}_forced" if wish.is_forced else wish.action
    await change.note(action, wish.why, turned_to=(wish.stage, version), figures=figures)
    return version


async def _agree(change: Change, request: Request) -> Agreed:
    """Carry out what is no stage. Who agrees is shown a new key, so the new operator is of his line."""
    said = f" (asked by {request.requested_by})"
    key = None
    if request.operator:
        key = await rules.give_key(change, request.operator, shown_to=change.by.key_id, said=said)
    else:
        await rules.end_approvals(change, f"{request.why}{said}")
    return Agreed(request=request, version=change.dial.version, key=key)


async def _find_left(connection: Connection, flag: str, stage: Stage) -> Adoption | None:
    """Return who has moved, for complete alone: nothing else cuts anybody off. Raises NotCounted.

    Never under the dial's lock: of many users it takes a while, and a rollback waits for nobody who counts.
    """
    return await adoption.read(connection, flag) if stage.name is StageName.COMPLETE else None


def _check_left(found: Adoption | None, wish: Wish) -> dict[str, Any]:
    """Return who has moved, for the audit. Raises UsersLeft before complete cuts anybody off unsaid."""
    if found is None:
        return {}
    if found.left_count > wish.leave_behind:
        named = ", ".join(user.email or str(user.user_id) for user in found.left[:SAID])
        more = f" and {found.left_count - SAID} more" if found.left_count > SAID else ""
        raise UsersLeft(
            f"{adoption.people(found.left_count)} left on legacy with {adoption.sockets(found.left_sockets)}, whom "
            f"complete would cut off: {named}{more}. "
            f"crossfade rollout left says why; wait for them, or go on with --leave-behind {found.left_count}"
            f"{' --force' * wish.is_forced} --why …"
        )
    return {"adoption": found.figures(), **({"leaveBehind": wish.leave_behind} if wish.leave_behind else {})}


def _check_second(request: Request, by: Who, lines: Mapping[str, int]) -> None:
    if by.key_id is None:
        raise RolloutError(
            f"A second operator is known by a key and not by a name: crossfade operators add, {operators.VARIABLE}."
        )
    if request.key_id is None:
        raise RolloutError(f"{request.requested_by} asked without a key, and may be anybody: ask again with one.")
    if request.key_id == by.key_id:
        raise RolloutError(f"{by.actor} asked for it; somebody else has to approve.")
    if request.key_id not in lines or by.key_id not in lines:
        raise RolloutError(
            f"The key of {by.actor}, or that of {request.requested_by}, who asked, was revoked: ask again."
        )
    if lines[request.key_id] == lines[by.key_id]:
        raise RolloutError(
            f"{by.actor} and {request.requested_by}, who asked, may be one person: one of them, or who added both, was "
            "shown both keys. Somebody else has to approve, of another line in crossfade operators list."
        )


def _check_version(dial: Dial, seen: int | None) -> None:
    if seen is not None and seen != dial.version:
        by = f" by {dial.changed_by}" if dial.changed_by else ""
        moved = "There is no such version yet" if seen > dial.version else "The dial moved meanwhile"
        raise RolloutError(
            f"{moved}: it is at {dial.stage.label} since {dial.since:%H:%M:%S}Z{by}, version {dial.version}, and not "
            f"at version {seen}. Look at crossfade rollout status and decide again."
        )


def _check_gate(dial: Dial, wish: Wish, verdict: Verdict, *, is_second: bool = False) -> None:
    is_without = wish.is_forced and not is_second
    if is_without or dial.stage.name is StageName.OFF or verdict.outcome is Outcome.PASS:
        return
    if is_second and verdict.outcome is not Outcome.FAIL:
        return  # the gate had passed when it was asked for, and nothing speaks against it since
    word = "fails" if verdict.outcome is Outcome.FAIL else "has not passed"
    raise RolloutError(f"The gate of {dial.stage.label} {word}: {' '.join(verdict.reasons)}")
