"""Leases of cursors, kept in Postgres. Called by the relay; every move is fenced by the lease's token."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from realtime_bridge.event_log.cursor import Cursor, Hole
from realtime_bridge.shared import sql

_QUERIES = sql.AsyncQueries(__file__)
LEASE_S = 6.0  # a standby takes over this long after its predecessor's last sign of life
RENEW_S = 2.0  # a third: two renewals may fail before the lease is gone


class LeaseLost(Exception):
    """Somebody else holds the sink now; what was not yet committed is theirs to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    sink: str
    token: int
    cursor: Cursor
    heard: Cursor | None
    """Where the cursor stood when listeners were known to have heard all; None: as far as the cursor."""
    readers: tuple[str, ...]
    """Who carried it to them since."""
    delivered_count: int
    """Events delivered since the database was made: 0 says that no client can have seen anything yet."""


async def claim(connection: AsyncConnection[Any], sink: str, owner: str, lease_s: float = LEASE_S) -> Lease | None:
    """Take the sink's lease if it is free, expired or already ours; None while another bridge holds it."""
    await _QUERIES.run(connection, "ensure", sink=sink)
    row = await _QUERIES.find_row(connection, "claim", dict_row, sink=sink, owner=owner, lease_s=lease_s)
    if row is None:
        return None
    heard = row["heard"] if row["heard"] and row["heard"]["beside"] == row["high_water"] else None
    return Lease(
        sink=sink,
        token=row["lease_token"],
        cursor=_cursor_of(row),
        heard=_cursor_of(heard) if heard else None,
        readers=tuple(heard["readers"]) if heard else (),
        delivered_count=row["delivered_count"],
    )


async def renew(connection: AsyncConnection[Any], lease: Lease, lease_s: float = LEASE_S) -> None:
    """Keep the lease; raises LeaseLost."""
    values = {"sink": lease.sink, "token": lease.token, "lease_s": lease_s}
    await _fenced(connection, "renew", values)


async def release(connection: AsyncConnection[Any], lease: Lease) -> None:
    """Give the lease back, so that a standby need not wait for it to expire."""
    await _QUERIES.run(connection, "release", sink=lease.sink, token=lease.token)


async def move(
    connection: AsyncConnection[Any], lease: Lease, delivered: int = 0, again: int = 0, *, is_repeatable: bool = False
) -> None:
    """Write where `lease` stands; raises LeaseLost. In a transaction it also locks the row until the end.

    `delivered` events are new, and so many `again` were delivered once more. `is_repeatable`: that is done already, so
    a crash of the server may undo this, and nobody waits until it is on disk.
    """
    mark = {
        "readers": lease.readers,
        "beside": lease.cursor.high_water,
    }  # a bridge of the version before moves on alone
    heard = _as_json(lease.heard) | mark if lease.heard else None
    values = {
        "sink": lease.sink,
        "token": lease.token,
        "high_water": lease.cursor.high_water,
        "holes": Jsonb(_as_json(lease.cursor)["holes"]),
        "heard": heard and Jsonb(heard),
        "delivered": delivered,
        "again": again,
        "is_repeatable": is_repeatable,
    }
    await _fenced(connection, "move", values)


async def report(
    connection: AsyncConnection[Any],
    lease: Lease,
    *,
    breaker: str,
    failures: int,
    retry_in_s: float | None,
    error: str | None,
    waiting_for: str | None,
) -> None:
    """Publish the breaker's state for `crossfade relay status`."""
    values = {
        "sink": lease.sink,
        "token": lease.token,
        "breaker": breaker,
        "failures": failures,
        "retry_in_s": retry_in_s,
        "error": error,
        "waiting_for": waiting_for,
    }
    await _QUERIES.run(connection, "report", **values)


async def _fenced(connection: AsyncConnection[Any], query: str, values: dict[str, Any]) -> None:
    if await _QUERIES.run(connection, query, **values) == 0:
        raise _lost(values["sink"])


def _lost(sink: str) -> LeaseLost:
    return LeaseLost(f"The lease of sink {sink} was taken by another bridge.")


def _cursor_of(row: Mapping[str, Any]) -> Cursor:
    return Cursor(high_water=row["high_water"], holes=tuple(Hole(**hole) for hole in row["holes"]))


def _as_json(cursor: Cursor) -> dict[str, Any]:
    holes = [{"first": hole.first, "last": hole.last, "xmax": hole.xmax} for hole in cursor.holes]
    return {"high_water": cursor.high_water, "holes": holes}
