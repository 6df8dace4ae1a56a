"""Rows of the gates: the keeper's lease, closed windows. Called by keeper and CLI."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate import slots
from realtime_bridge.rollout.gate.policy import HORIZON
from realtime_bridge.rollout.gate.slots import Sample
from realtime_bridge.rollout.gate.windows import GateWindow
from realtime_bridge.shared import sql

_QUERIES = sql.AsyncQueries(__file__)
LEASE_S = 6.0  # as the sinks': a standby judges this long after its predecessor's last sign of life
Connection = AsyncConnection[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """A held lease, and how far changes have been announced to clients."""

    token: int
    announced_revision: int


async def claim(connection: Connection, flag: str, owner: str, lease_s: float = LEASE_S) -> Keeping | None:
    """Take or keep the lease; None while another bridge holds it."""
    await _QUERIES.run(connection, "ensure", flag=flag)
    return await _QUERIES.find_row(connection, "claim", class_row(Keeping), flag=flag, owner=owner, lease_s=lease_s)


async def release(connection: Connection, flag: str, owner: str) -> None:
    await _QUERIES.run(connection, "release", flag=flag, owner=owner)


async def note_announced(connection: Connection, flag: str, token: int, revision: int) -> None:
    await _QUERIES.run(connection, "note_announced", flag=flag, token=token, revision=revision)


async def has_keeper(connection: Connection, flag: str) -> bool:
    """Whether a bridge judges now."""
    return bool(await _QUERIES.find_value(connection, "has_keeper", flag=flag))


async def list_windows(connection: Connection, flag: str, version: int) -> list[GateWindow]:
    """Return the newest closed windows of a version, oldest first."""
    rows = await _QUERIES.list_rows(connection, "list_windows", dict_row, flag=flag, version=version, limit=HORIZON)
    return [GateWindow(**row | {"sides": {side: _sample(row["sides"], side) for side in Side}}) for row in rows]


def _sample(sides: Mapping[str, Any], side: Side) -> Sample:
    """Return a side's figures; some stand apart in windows that a bridge of the version before has written."""
    return Sample(**sides[side] | sides.get("later", {}).get(side, {}) | {"side": side})


async def add_windows(connection: Connection, flag: str, version: int, closed: Sequence[GateWindow]) -> None:
    for window in closed:
        values = asdict(window)
        values |= {"flag": flag, "version": version, "sides": Jsonb(values["sides"])}
        await _QUERIES.run(connection, "add_window", **values)


async def forget_windows(connection: Connection) -> None:
    """Delete what is older than the samples it was made of."""
    await _QUERIES.run(connection, "forget_windows", days=slots.KEEP_DAYS)
