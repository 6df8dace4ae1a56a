"""Measured time slots of each side. Parity's writers add to them; the gate keeper and `crossfade parity` read them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate import latency
from realtime_bridge.shared import sql

_QUERIES = sql.AsyncQueries(__file__)
SLOT_S = 5  # gates add slots up; shorter ones would be all grace and no samples
GRACE_S = 1.0  # a writer's transaction takes milliseconds; a slot is read this much after its end
KEEP_DAYS = 30  # as long as the log: a report may compare a month


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was decided on one side since the writer's last call.

    `sent` = events of the log whose fate is known now = `seen` + `lost`. `attempts` and `errors` count tries to deliver
    an event and those that failed. `consecutive_failures` is the run of failures that stands now. A gate needs all of
    `sent`, `attempts` and latencies, of both sides: it holds until each has reached its minimum of samples.
    """

    side: Side
    sent: int = 0
    seen: int = 0
    lost: int = 0
    repeated: int = 0
    reordered: int = 0
    attempts: int = 0
    errors: int = 0
    consecutive_failures: int = 0
    latency_counts: list[int] = field(default_factory=lambda: [0] * latency.BUCKETS)
    """`latency.histogram(milliseconds)`, from the moment at which the schedule wanted the event to be sent."""
    missed: int = 0
    """Events that the schedule asked for and a stall kept back: each is a late one in `latency_counts`."""
    rate_per_s: float = 0.0
    """How many events a second the schedule asked for."""
    delivered_counts: list[int] = field(default_factory=lambda: [0] * latency.BUCKETS)
    """From commit to delivery, of everybody's events but the canary's."""
    lag_counts: list[int] = field(default_factory=lambda: [0] * latency.BUCKETS)
    """How late the loop of the bridge ran that delivers to this side."""


COUNTS = ("sent", "seen", "lost", "repeated", "reordered", "attempts", "errors", "missed")
HISTOGRAMS = ("latency_counts", "delivered_counts", "lag_counts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Sample):
    """One slot as stored."""

    window_start: datetime


def total(samples: Iterable[Sample], side: Side) -> Sample:
    """Return the sum of one side's samples."""
    mine = [sample for sample in samples if sample.side == side]
    counts: dict[str, Any] = {name: sum(getattr(sample, name) for sample in mine) for name in COUNTS}
    counts |= {name: latency.total(getattr(sample, name) for sample in mine) for name in HISTOGRAMS}
    return Sample(
        side=side,
        **counts,
        consecutive_failures=max((sample.consecutive_failures for sample in mine), default=0),
        rate_per_s=max((sample.rate_per_s for sample in mine), default=0.0),
    )


async def add(connection: AsyncConnection[Any], flag: str, samples: Iterable[Sample]) -> None:
    """Add to the slot that is now."""
    for sample in samples:
        values = {name: getattr(sample, name) for name in Sample.__slots__}
        await _QUERIES.run(connection, "add", **values, flag=flag, slot_s=SLOT_S)


async def read(connection: AsyncConnection[Any], flag: str, since: datetime) -> list[Window]:
    """Return the finished slots from `since` on, oldest first."""
    values = {"flag": flag, "since": since, "slot_s": SLOT_S, "grace_s": GRACE_S}
    rows = await _QUERIES.list_rows(connection, "read", dict_row, **values)
    return [Window(**{**row, "side": Side(row["side"])}) for row in rows]


async def forget(connection: AsyncConnection[Any]) -> int:
    """Delete slots older than KEEP_DAYS; return how many."""
    return await _QUERIES.run(connection, "forget", days=KEEP_DAYS)
