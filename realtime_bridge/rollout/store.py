"""Rows of the dial. Each function is one statement; `wishes.py` opens the transactions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.rows import DictRow, class_row, dict_row
from psycopg.types.json import Jsonb

from realtime_bridge.rollout.dial.decision import Kind
from realtime_bridge.rollout.dial.errors import RolloutError
from realtime_bridge.rollout.dial.stages import Side, Stage
from realtime_bridge.rollout.dial.store import Connection, stage_of
from realtime_bridge.rollout.gate.policy import Policy
from realtime_bridge.rollout.gate.verdict import FailureRun
from realtime_bridge.rollout.operators import Who
from realtime_bridge.shared import sql
from realtime_bridge.shared.variables import Told

_QUERIES = sql.AsyncQueries(__file__)


class Action(StrEnum):
    """What a second operator agrees to, in the words of the audit."""

    SET = "set"
    ADD = "operator_add"
    OFF = "approvals_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """A flag's row, whole."""

    flag: str
    stage: Stage
    version: int
    revision: int
    since: datetime
    needs_approval: bool
    policy: Policy
    changed_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    steps: Sequence[str]
    state: str
    reason: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    key_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A change that waits for a second operator. `stage` is where to, or where the dial stood."""

    id: int
    action: Action
    operator: str | None
    stage: str
    version: int
    why: str
    requested_by: str
    requested_at: datetime
    leave_behind: int
    key_id: str | None

    @property
    def wish(self) -> str:
        """What is asked for, in words."""
        return wish(self.action, self.operator or self.stage)


async def lock_dial(connection: Connection, flag: str) -> Dial:
    """Return the row, which nobody else changes until the transaction ends."""
    await _QUERIES.find_row(connection, "lock_dial", dict_row, flag=flag)
    return await get_dial(connection, flag)


async def get_dial(connection: Connection, flag: str) -> Dial:
    row = await _QUERIES.find_row(connection, "get_dial", dict_row, flag=flag)
    if row is None:
        raise RolloutError(f"There is no flag {flag!r}.")
    shaped = {"stage": stage_of(row), "policy": Policy.of(row["policy"])}
    return Dial(**{name: row[name] for name in Dial.__slots__} | shaped)


async def turn(connection: Connection, dial: Dial, stage: Stage) -> int:
    """Write the stage; return the new version."""
    values = {"flag": dial.flag, "version": dial.version, "stage": stage.name.value, "buckets": stage.buckets}
    return int(await _QUERIES.get_value(connection, "turn", **values))


async def note(
    connection: Connection,
    dial: Dial,
    by: Who,
    action: str,
    why: str,
    *,
    turned_to: tuple[Stage, int] | None = None,
    figures: Mapping[str, Any] | None = None,
) -> None:
    """Write a line of the audit; `turned_to` is the stage and the version that the dial has now."""
    stage, version = turned_to or (None, dial.version)
    values = {"flag": dial.flag, "actor": by.actor, "key_id": by.key_id, "action": action, "why": why}
    values |= {"from_stage": dial.stage.label if stage else None, "to_stage": stage.label if stage else None}
    kept = Jsonb(figures) if figures is not None else None
    await _QUERIES.run(connection, "note", version=version, figures=kept, **values)


async def list_audit(connection: Connection, flag: str, limit: int) -> list[DictRow]:
    return await _QUERIES.list_rows(connection, "list_audit", dict_row, flag=flag, limit=limit)


async def put_override(connection: Connection, flag: str, kind: Kind, subject: UUID, provider: Told, **by: str) -> None:
    await _QUERIES.run(
        connection, "put_override", flag=flag, kind=kind.value, subject=subject, provider=provider.value, **by
    )


async def delete_override(connection: Connection, flag: str, kind: Kind, subject: UUID) -> bool:
    return await _QUERIES.run(connection, "delete_override", flag=flag, kind=kind.value, subject=subject) > 0


async def describe_overrides(connection: Connection, flag: str, limit: int) -> list[DictRow]:
    return await _QUERIES.list_rows(connection, "describe_overrides", dict_row, flag=flag, limit=limit)


async def set_policy(connection: Connection, flag: str, policy: Policy) -> None:
    await _QUERIES.run(connection, "set_policy", flag=flag, policy=Jsonb(policy.changes()))


async def set_needs_approval(connection: Connection, flag: str, *, needed: bool) -> None:
    await _QUERIES.run(connection, "set_needs_approval", flag=flag, needed=needed)


async def find_plan(connection: Connection, flag: str) -> Plan | None:
    return await _QUERIES.find_row(connection, "find_plan", class_row(Plan), flag=flag)


async def put_plan(connection: Connection, flag: str, steps: Sequence[str], *, why: str, **by: str | None) -> None:
    """`by`: actor and key_id."""
    await _QUERIES.run(connection, "put_plan", flag=flag, steps=list(steps), why=why, **by)


async def set_plan_state(
    connection: Connection, flag: str, state: str, reason: str, *, from_states: Sequence[str] = ("running", "paused")
) -> bool:
    values = {"flag": flag, "state": state, "reason": reason, "from_states": list(from_states)}
    return await _QUERIES.run(connection, "set_plan_state", **values) > 0


async def find_request(connection: Connection, flag: str) -> Request | None:
    row = await _QUERIES.find_row(connection, "find_request", dict_row, flag=flag)
    return Request(**{**row, "action": Action(row["action"])}) if row else None


async def put_request(connection: Connection, dial: Dial, action: Action, stage: Stage, **values: object) -> None:
    """`values`: why, leave_behind, the operator to add, and of who asks actor and key_id."""
    await withdraw_request(connection, dial.flag)
    values |= {"flag": dial.flag, "version": dial.version, "action": action.value, "stage": stage.label}
    await _QUERIES.run(connection, "put_request", **values)


async def withdraw_request(connection: Connection, flag: str) -> bool:
    return await _QUERIES.run(connection, "withdraw_request", flag=flag) > 0


async def approve_request(connection: Connection, request: Request, by: Who) -> None:
    await _QUERIES.run(connection, "approve_request", id=request.id, actor=by.actor, key_id=by.key_id)


async def failures_now(connection: Connection, flag: str) -> dict[Side, FailureRun]:
    """Return how each side fails at this moment, and what it waits for."""
    rows = await _QUERIES.list_rows(connection, "sinks", dict_row, flag=flag)
    return {Side(row.pop("side")): FailureRun(**row) for row in rows}


def wish(action: Action, what: str) -> str:
    """Return what is asked for, in words."""
    return {Action.SET: what, Action.ADD: f"a key for {what}", Action.OFF: "to need no second operator"}[action]
