"""Who has moved and who is left: what users were told, what they have asked since, and where they were heard.

Left on legacy is who holds an answer that says so, and who was heard there without holding one that says Supabase: an
old client never asks. A standby socket beside a living answer of Supabase is nobody who is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, errors
from psycopg.rows import DictRow, dict_row

from realtime_bridge import reports, sql
from realtime_bridge.parity.canary_user import CANARY_ID
from realtime_bridge.rollout.decision import Told
from realtime_bridge.rollout.errors import NotCounted
from realtime_bridge.rollout.windows import Side

_QUERIES = sql.load(__file__)
LEFT_FOR_S = 86_400.0  # a phone that was away for a night is still an old client
NAMED = 100  # users who are named at most, those with open sockets first
TIMEOUT_S = 5.0  # of each of two statements, which take 0.3 and 0.4 s of 300,000 users
PROVIDERS = {Side.LEGACY: Told.SOCKETIO, Side.SUPABASE: Told.SUPABASE}


@dataclass(frozen=True, slots=True, kw_only=True)
class SideFigures:
    """Users of a side; `asked` of the `told` have asked since the dial moved last, `pinned` of a gateway without it.

    `connected` is None where nobody counts sockets: Supabase does not say whose they are, so its users were heard last
    when they last asked.
    """

    told: int = 0
    asked: int = 0
    pinned: int = 0
    connected: int | None = None
    last_heard: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftUser:
    """Somebody who is left on legacy, with the sockets that are open now."""

    user_id: UUID
    email: str | None
    sockets: int
    heard_at: datetime | None
    told: str | None
    told_at: datetime | None

    @property
    def why(self) -> str:
        where = f"{self.sockets} open socket{'s' * (self.sockets > 1)}" if self.sockets else "no open socket"
        return f"{where}; " + (f"told {self.told} when it last asked" if self.told else "has not asked for a session")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """`left` names the first `NAMED` of `left_count` users."""

    sides: Mapping[Side, SideFigures]
    left_count: int
    left: Sequence[LeftUser]

    @property
    def pinned(self) -> int:
        """How many users hold an answer of a gateway that does not follow the dial."""
        return sum(figures.pinned for figures in self.sides.values())

    def figures(self) -> dict[str, Any]:
        """Return what the audit keeps and `--json` shows."""
        return {
            **{side.value: _figures(figures) for side, figures in self.sides.items()},
            "left": self.left_count,
            "leftUsers": [left_figures(user) for user in self.left],
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
    rows = {Told(row.pop("provider")): row for row in await _all(connection, "sides", values)}
    values |= {"left_for_s": LEFT_FOR_S, "limit": named}
    left = await _all(connection, "list_left", values)
    return Adoption(
        sides={side: SideFigures(**rows[told]) for side, told in PROVIDERS.items()},
        left_count=left[0]["total"] if left else 0,
        left=[LeftUser(**{name: value for name, value in row.items() if name != "total"}) for row in left],
    )


def people(count: int) -> str:
    """Return so many users as the beginning of a sentence."""
    return "1 user is" if count == 1 else f"{count} users are"


def left_figures(user: LeftUser) -> dict[str, Any]:
    return {
        "userId": str(user.user_id),
        "email": user.email,
        "sockets": user.sockets,
        "lastHeard": _moment(user.heard_at),
        "told": user.told,
        "toldAt": _moment(user.told_at),
        "why": user.why,
    }


def _figures(figures: SideFigures) -> dict[str, Any]:
    return {
        "told": figures.told,
        "asked": figures.asked,
        "connected": figures.connected,
        "lastHeard": _moment(figures.last_heard),
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


async def _all(connection: AsyncConnection[Any], query: str, values: Mapping[str, Any]) -> list[DictRow]:
    async with connection.cursor(row_factory=dict_row) as reader:
        return await (await reader.execute(_QUERIES[query], values)).fetchall()
