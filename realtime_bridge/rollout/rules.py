"""What surrounds the dial: overrides, gate settings, approvals, plans, operators."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from realtime_bridge.rollout import operators, store
from realtime_bridge.rollout import plan as schedule
from realtime_bridge.rollout.changes import APPROVE, Wish, _add, _check_operators, _note, _request
from realtime_bridge.rollout.dial.decision import Kind
from realtime_bridge.rollout.dial.errors import ApprovalNeeded, OperatorRefused, PlanRefused
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.gate.policy import Policy
from realtime_bridge.rollout.operators import Who
from realtime_bridge.rollout.store import Action
from realtime_bridge.shared.variables import Told


async def put_override(
    connection: Connection, flag: str, kind: Kind, subject: UUID, provider: Told, *, by: Who, why: str
) -> None:
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        await store.put_override(connection, flag, kind, subject, provider, why=why, actor=by.actor)
        await _note(connection, dial, by, "override_add", f"{kind} {subject} → {provider}: {why}")


async def delete_override(connection: Connection, flag: str, kind: Kind, subject: UUID, *, by: Who, why: str) -> bool:
    """Return whether there was one."""
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        found = await store.delete_override(connection, flag, kind, subject)
        if found:
            await _note(connection, dial, by, "override_remove", f"{kind} {subject}: {why}")
    return found


async def set_policy(connection: Connection, flag: str, changes: Mapping[str, Any], *, by: Who, why: str) -> Policy:
    """Change gate settings; raises PolicyRefused. The current windows are judged by the new ones from now on."""
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        policy = Policy.of({**dial.policy.changes(), **changes})
        await store.set_policy(connection, flag, policy)
        words = " ".join(f"{name}={value}" for name, value in changes.items())
        await _note(connection, dial, by, "policy", f"{words}: {why}")
    return policy


async def set_needs_approval(connection: Connection, flag: str, *, needed: bool, by: Who, why: str) -> None:
    """Raises OperatorRefused; ApprovalNeeded where it is to end and anybody has a key: a second operator ends it."""
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        lines = await operators.lines(connection)
        if needed:
            _check_operators(lines, "A second operator")
        is_asked = dial.needs_approval and not needed and bool(lines)
        if is_asked:
            _check_operators(lines, "Who agrees to that")
            await _request(connection, dial, Action.OFF, Wish(flag=flag, stage=dial.stage, by=by, why=why))
        else:
            await store.set_needs_approval(connection, flag, needed=needed)
            await _note(connection, dial, by, "approvals_on" if needed else "approvals_off", why)
    if is_asked:
        raise ApprovalNeeded(f"To need no second operator {APPROVE}")


async def start_plan(connection: Connection, flag: str, words: list[str], *, by: Who, why: str) -> None:
    """Begin a plan, in place of any other. Raises PlanRefused."""
    steps = schedule.parse(words)
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        schedule.check(steps, dial.stage)
        if dial.needs_approval:
            lines = await operators.lines(connection)
            _check_operators(lines, "This plan waits for a second operator at every step, who")
        await store.put_plan(connection, flag, words, why=why, actor=by.actor, key_id=by.key_id)
        await _note(connection, dial, by, "plan", f"{' '.join(words)}: {why}")


async def set_plan_state(connection: Connection, flag: str, state: str, *, by: Who, why: str) -> None:
    """Pause, resume or stop a plan. Raises PlanRefused."""
    from_states = {"paused": ["running"], "running": ["paused"], "stopped": ["running", "paused"]}[state]
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        said = why or f"{'resumed' if state == 'running' else state} by {by.actor}"
        if not await store.set_plan_state(connection, flag, state, said, from_states=from_states):
            raise PlanRefused(f"There is no {' or '.join(from_states)} plan.")
        await _note(connection, dial, by, f"plan_{state}", said)


async def add_operator(connection: Connection, flag: str, name: str, *, by: Who) -> str:
    """Return the new operator's key. Raises OperatorRefused, or ApprovalNeeded: a second one is shown the key."""
    operators.check_name(name)
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        lines = await operators.lines(connection)
        if not dial.needs_approval:
            shown_to = by.key_id if operators.can_agree(lines) else None
            return await _add(connection, dial, name, by=by, shown_to=shown_to)
        _check_operators(lines, "Who agrees to that")
        wish = Wish(flag=flag, stage=dial.stage, by=by, why=f"{name} turns the dial, too")
        await _request(connection, dial, Action.ADD, wish, name.strip())
    raise ApprovalNeeded(f"A key for {name} {APPROVE}")


async def revoke_operator(
    connection: Connection, flag: str, name: str, *, by: Who, why: str, is_without_key: bool = False
) -> str:
    """Return the id of the key that works no more. Raises OperatorRefused.

    The last one takes the need for a second operator with it, and so has to go without a key where there is one.
    """
    async with connection.transaction():
        dial = await store.lock_dial(connection, flag)
        key_id = await operators.revoke(connection, name, by=by)
        await _note(connection, dial, by, "operator_revoke", f"{name}, key {key_id}: {why}")
        if dial.needs_approval and not await operators.lines(connection):
            if not is_without_key:
                raise OperatorRefused(
                    f"{name} is the last operator, and changes need a second one: with --without-key nobody needs one."
                )
            await store.set_needs_approval(connection, flag, needed=False)
            await _note(connection, dial, by, "approvals_off", "nobody has a key any more")
    return key_id
