"""Reports of processes: provider, sinks fed, since when, who has sockets. Written by heartbeats.

Whoever tells people what is (the dial's status, `relay status`) reads it here instead of guessing from settings.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from realtime_bridge.fleet.sockets import Sockets
from realtime_bridge.shared import sql

_QUERIES = sql.AsyncQueries(__file__)
ALIVE_S = 10.0  # five heartbeats; by then its leases are others' as well
BATCH = 1_000  # users in a statement: some milliseconds
Connection = AsyncConnection[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A bridge, as it says. `version` is that of the dial it follows; None: it is pinned, or has not read it yet."""

    bridge: str
    provider: str
    sinks: Mapping[str, Mapping[str, Any]]
    """Of each sink that it may deliver: isFed and since."""
    feed_mode: str
    version: int | None
    has_canary: bool

    @property
    def feeds(self) -> list[str]:
        return [sink for sink, state in self.sinks.items() if state["isFed"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState(Report):
    """A living process, as others see it: a bridge, or a gateway (process/heartbeat.py there), which feeds nothing."""

    is_gateway: bool
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkState:
    """Who holds a sink's lease, and whether that bridge feeds it; None: nobody does, or its version does not say."""

    sink: str
    held_by: str | None
    provider: str | None
    feed_mode: str | None
    is_fed: bool | None
    fed_since: datetime | None

    @property
    def is_cohort(self) -> bool:
        """Whether Supabase gets only what somebody who is told Supabase takes part in (rollout/feeds.py)."""
        return self.provider == "rollout" and self.feed_mode == "cohort"

    @property
    def is_delivered(self) -> bool:
        """Whether events go to it now, as far as is known: bridges of the version before only say that they hold it."""
        return self.held_by is not None and self.is_fed is not False


async def report(connection: Connection, state: Report) -> datetime:
    """Say what a bridge does now; return the database's time."""
    values = {name: getattr(state, name) for name in Report.__slots__} | {"sinks": Jsonb(state.sinks)}
    told: datetime = await _QUERIES.get_value(connection, "report", **values)
    return told


async def note_listeners(
    connection: Connection, bridge: str, sockets: Mapping[UUID, Sockets], gone: Container[UUID]
) -> None:
    """Say how many sockets these users have at a bridge now, and from whom of them an old client's `gone` is."""
    users = sorted(sockets)
    for start in range(0, len(users), BATCH):
        batch = users[start : start + BATCH]
        columns = zip(*(sockets[user] for user in batch), strict=True)
        counts = dict(zip(("sockets", "moved", "unasked"), map(list, columns), strict=True))
        has_gone = [user in gone for user in batch]
        await _QUERIES.run(connection, "note_listeners", bridge=bridge, users=batch, gone=has_gone, **counts)


async def leave(connection: Connection, bridge: str) -> None:
    """Say that a bridge has stopped, and that nobody has sockets there."""
    await _QUERIES.run(connection, "close_listeners", bridge=bridge)
    await _QUERIES.run(connection, "leave", bridge=bridge)


async def forget(connection: Connection) -> None:
    """Delete bridges that are long gone, and users who were not heard for a month."""
    await _QUERIES.run(connection, "forget_bridges")
    await _QUERIES.run(connection, "forget_listeners")


async def list_processes(connection: Connection) -> list[ProcessState]:
    """Return the living ones, bridges first, the oldest first."""
    return await _QUERIES.list_rows(connection, "list_processes", class_row(ProcessState), alive_s=ALIVE_S)


async def list_sinks(connection: Connection) -> list[SinkState]:
    return await _QUERIES.list_rows(connection, "list_sinks", class_row(SinkState), alive_s=ALIVE_S)


async def has_outsider(connection: Connection, bridge: str) -> bool:
    """Whether this bridge delivers to a side, and another one lives that could measure and delivers to none."""
    return bool(await _QUERIES.find_value(connection, "has_outsider", bridge=bridge, alive_s=ALIVE_S))
