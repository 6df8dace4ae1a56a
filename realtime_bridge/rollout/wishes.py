"""Wishes for the dial: carried out, or noted for a second operator.

Under its lock, and each with its line in the audit.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, NoReturn

from realtime_bridge.rollout import operators, store
from realtime_bridge.rollout.dial.errors import ApprovalNeeded, OperatorRefused
from realtime_bridge.rollout.dial.stages import Stage
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.operators import Who
from realtime_bridge.rollout.store import Action, Dial


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A change as somebody asks for it. `version` is the one that was seen; None takes what is there."""

    flag: str
    stage: Stage
    by: Who
    why: str
    version: int | None = None
    action: str = "set"
    is_forced: bool = False
    """Go on without a passing gate, or without a bridge that follows; the audit says so."""
    asked_by: str | None = None
    """In whose name, where the actor is a plan."""
    leave_behind: int = 0
    """How many users complete may cut off at most."""


@dataclass(frozen=True, slots=True)
class Change:
    """A transaction with the dial as it is: nobody else changes it until the end."""

    connection: Connection
    dial: Dial
    by: Who

    async def note(self, action: str, why: str, **turned: Any) -> None:
        await store.note(self.connection, self.dial, self.by, action, why, **turned)

    async def check_operators(self, who: str) -> None:
        """Raise OperatorRefused where nobody can agree."""
        lines = await operators.lines(self.connection)
        if not operators.can_agree(lines):
            raise OperatorRefused(f"{who} has to be known by a key, and {operators.too_few(lines)}")

    async def ask(self, action: Action, wish: Wish, operator: str | None = None) -> NoReturn:
        """Keep the wish for a second operator, in place of any other, and raise ApprovalNeeded."""
        asked = {"actor": wish.asked_by or wish.by.actor, "key_id": wish.by.key_id, "operator": operator}
        said, left = store.wish(action, operator or wish.stage.label), wish.leave_behind
        await store.put_request(
            self.connection, self.dial, action, wish.stage, why=wish.why, leave_behind=left, **asked
        )
        await self.note("request", f"{said}: {wish.why}")
        begun = said if action is Action.SET else said[0].upper() + said[1:]
        raise ApprovalNeeded(f"{begun} waits for a second operator: crossfade rollout approve")


@contextlib.asynccontextmanager
async def changing(connection: Connection, flag: str, by: Who) -> AsyncIterator[Change]:
    """Open a transaction on the dial. What is refused leaves nothing; what waits for a second operator is kept."""
    waits = None
    async with connection.transaction():
        try:
            yield Change(connection, await store.lock_dial(connection, flag), by)
        except ApprovalNeeded as reason:
            waits = reason
    if waits:
        raise waits
