"""Adoption: who has moved and who is left.

By what users were told, what they have asked since, and what their sockets say.

A legacy socket says by its token what its client was told: the one of a realtime session names the provider, any other
is an old client's, which never asks. Left on legacy is who has a socket there that was not told Supabase, whatever his
other clients do, or had an old client's within a day, and who holds an answer that says legacy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, errors
from psycopg.rows import dict_row
from pydantic.alias_generators import to_camel

from realtime_bridge.fleet import reports
from realtime_bridge.rollout.dial.errors import NotCounted
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.shared import sql
from realtime_bridge.shared.canary_user import CANARY_ID
from realtime_bridge.shared.variables import Told

_QUERIES = sql.AsyncQueries(__file__)
LEFT_FOR_S = 86_400.0  # a phone that was away for a night is still an old client
NAMED = 100  # users who are named at most, those with open sockets first
TOTALS = ("total", "total_sockets", "total_away")
TIMEOUT_S = 5.0  # of each of two statements, which take 0.3 and 0.4 s of 300,000 users
PROVIDERS = {Side.LEGACY: Told.SOCKETIO, Side.SUPABASE: Told.SUPABASE}


@dataclass(frozen=True, slots=True, kw_only=True)
class SideFigures:
    """Users of a side; `asked` of the `told` have asked since the dial moved last.

    `connected` users have `sockets`, of which `moved` are standbys of clients that were told Supabase. None where
    nobody counts sockets: Supabase does not say whose they are, so its users were heard last when they last asked.
    """

    told: int = 0
    asked: int = 0
    connected: int | None = None
    sockets: int | None = None
    moved: int | None = None
    last_heard: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftUser:
    """Somebody who is left on legacy, with the open sockets that hold him there; `last_heard` is of old clients."""

    user_id: UUID
    email: str | None
    sockets: int
    unasked: int
    last_heard: datetime | None
    told: str | None
    told_at: datetime | None

    @property
    def why(self) -> str:
        old = "an old client, which asks for no session" if self.last_heard else ""
        told = f"told {self.told} when last asked" if self.told else ""
        return "; ".join(filter(None, [sockets(self.sockets), old, told]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """`left` names the first `NAMED` of `left_count` users, who have `left_sockets`; `away` of them have none now."""

    sides: Mapping[Side, SideFigures]
    left_count: int
    left_sockets: int
    away: int
    left: Sequence[LeftUser]

    def figures(self) -> dict[str, Any]:
        """Return what the audit keeps and `--json` shows."""
        return {
            **{side.value: _shown(asdict(figures)) for side, figures in self.sides.items()},
            "left": self.left_count,
            "leftSockets": self.left_sockets,
            "leftUsers": [{**_shown(asdict(user)), "why": user.why} for user in self.left],
        }


async def read(connection: AsyncConnection[Any], flag: str, *, named: int = NAMED) -> Adoption:
    """Count, outside of any transaction of the caller's. Raises NotCounted when that takes too long."""
    try:
        async with connection.transaction():
            await connection.execute("select set_config('statement_timeout', %s, true)", (f"{1_000 * TIMEOUT_S:.0f}",))
            return await _read(connection, flag, named)
    except (errors.QueryCanceled, errors.LockNotAvailable) as error:
        raise NotCounted(
            "The database did not count in time who has moved and who is left on legacy. Try again; "
            "pg_stat_activity says what it is busy with."
        ) from error


async def _read(connection: AsyncConnection[Any], flag: str, named: int) -> Adoption:
    values = {"flag": flag, "canary_id": CANARY_ID, "alive_s": reports.ALIVE_S}
    rows = {Told(row.pop("provider")): row for row in await _QUERIES.list_rows(connection, "sides", dict_row, **values)}
    values |= {"left_for_s": LEFT_FOR_S, "limit": named}
    left = await _QUERIES.list_rows(connection, "list_left", dict_row, **values)
    totals = left[0] if left else dict.fromkeys(TOTALS, 0)
    return Adoption(
        sides={side: SideFigures(**rows[told]) for side, told in PROVIDERS.items()},
        left_count=totals["total"],
        left_sockets=totals["total_sockets"],
        away=totals["total_away"],
        left=[LeftUser(**{name: value for name, value in row.items() if name not in TOTALS}) for row in left],
    )


def people(count: int) -> str:
    """Return so many users as the beginning of a sentence."""
    return "1 user is" if count == 1 else f"{count} users are"


def sockets(count: int) -> str:
    return f"{count or 'no'} open socket{'s' * (count > 1)}"


def _shown(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as JSON has them."""
    return {to_camel(name): _plain(value) for name, value in figures.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
