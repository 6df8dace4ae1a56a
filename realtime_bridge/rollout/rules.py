"""Rules around the dial: overrides, gate settings, approvals, plans, operators."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from realtime_bridge.rollout import operators, plan, store
from realtime_bridge.rollout.dial.decision import Kind
from realtime_bridge.rollout.dial.errors import OperatorRefused, RolloutError
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.gate.policy import Policy
from realtime_bridge.rollout.operators import Who
from realtime_bridge.rollout.store import Action
from realtime_bridge.rollout.wishes import Change, Wish, changing
from realtime_bridge.shared.variables import Told

AGREES = "Who agrees to that"


async def put_override(
    connection: Connection, flag: str, kind: Kind, subject: UUID, provider: Told, *, by: Who, why: str
) -> None:
    async with changing(connection, flag, by) as change:
        await store.put_override(connection, flag, kind, subject, provider, why=why, actor=by.actor)
        await change.note("override_add", f"{kind} {subject} → {provider}: {why}")


async def delete_override(connection: Connection, flag: str, kind: Kind, subject: UUID, *, by: Who, why: str) -> bool:
    """Return whether there was one."""
    async with changing(connection, flag, by) as change:
        found = await store.delete_override(connection, flag, kind, subject)
        if found:
            await change.note("override_remove", f"{kind} {subject}: {why}")
    return found


async def set_policy(connection: Connection, flag: str, settings: Mapping[str, Any], *, by: Who, why: str) -> None:
    """Change gate settings; raises RolloutError. The current windows are judged by the new ones from now on."""
    async with changing(connection, flag, by) as change:
        await store.set_policy(connection, flag, Policy.of({**change.dial.policy.changes(), **settings}))
        words = " ".join(f"{name}={value}" for name, value in settings.items())
        await change.note("policy", f"{words}: {why}")


async def set_needs_approval(connection: Connection, flag: str, *, needed: bool, by: Who, why: str) -> None:
    """Raises OperatorRefused; ApprovalNeeded where it is to end and anybody has a key: a second operator ends it."""
    async with changing(connection, flag, by) as change:
        if needed:
            await change.check_operators("A second operator")
            await store.set_needs_approval(connection, flag, needed=True)
            await change.note("approvals_on", why)
            return
        if change.dial.needs_approval and await operators.lines(connection):
            await change.check_operators(AGREES)
            await change.ask(Action.OFF, Wish(flag=flag, stage=change.dial.stage, by=by, why=why))
        await end_approvals(change, why)


async def end_approvals(change: Change, why: str) -> None:
    await store.set_needs_approval(change.connection, change.dial.flag, needed=False)
    await change.note("approvals_off", why)


async def start_plan(connection: Connection, flag: str, words: list[str], *, by: Who, why: str) -> None:
    """Begin a plan, in place of any other. Raises RolloutError."""
    steps = plan.parse(words)
    async with changing(connection, flag, by) as change:
        plan.check(steps, change.dial.stage)
        if change.dial.needs_approval:
            await change.check_operators("This plan waits for a second operator at every step, who")
        await store.put_plan(connection, flag, words, why=why, actor=by.actor, key_id=by.key_id)
        await change.note("plan", f"{' '.join(words)}: {why}")


async def set_plan_state(connection: Connection, flag: str, state: str, *, by: Who, why: str) -> None:
    """Pause, resume or stop a plan. Raises RolloutError."""
    from_states = {"paused": ["running"], "running": ["paused"], "stopped": ["running", "paused"]}[state]
    said = why or f"{'resumed' if state == 'running' else state} by {by.actor}"
    async with changing(connection, flag, by) as change:
        if not await store.set_plan_state(connection, flag, state, said, from_states=from_states):
            raise RolloutError(f"There is no {' or '.join(from_states)} plan.")
        await change.note(f"plan_{state}", said)


async def add_operator(connection: Connection, flag: str, name: str, *, by: Who) -> str:
    """Return the new operator's key. Raises OperatorRefused, or ApprovalNeeded: a second one is shown the key."""
    operators.check_name(name)
    async with changing(connection, flag, by) as change:
        if change.dial.needs_approval:
            await change.check_operators(AGREES)
            wish = Wish(flag=flag, stage=change.dial.stage, by=by, why=f"{name} turns the dial, too")
            await change.ask(Action.ADD, wish, name.strip())
        can_agree = operators.can_agree(await operators.lines(connection))
        return await give_key(change, name, shown_to=by.key_id if can_agree else None)


async def give_key(change: Change, name: str, *, shown_to: str | None, said: str = "") -> str:
    key = await operators.add(change.connection, name, by=change.by.actor, shown_to=shown_to)
    await change.note("operator_add", f"{name.strip()} has key {operators.id_of(key)}{said}")
    return key


async def revoke_operator(
    connection: Connection, flag: str, name: str, *, by: Who, why: str, is_without_key: bool = False
) -> str:
    """Return the id of the key that works no more. Raises OperatorRefused.

    The last one takes the need for a second operator with it, and so has to go without a key where there is one.
    """
    async with changing(connection, flag, by) as change:
        key_id = await operators.revoke(connection, name, by=by)
        await change.note("operator_revoke", f"{name}, key {key_id}: {why}")
        if change.dial.needs_approval and not await operators.lines(connection):
            if not is_without_key:
                raise OperatorRefused(
                    f"{name} is the last operator, and changes need a second one: with --without-key nobody needs one."
                )
            await end_approvals(change, "nobody has a key any more")
    return key_id
