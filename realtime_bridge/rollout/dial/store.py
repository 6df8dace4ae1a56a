"""The dial as gateways and bridges read it from the database."""

from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from realtime_bridge.rollout.dial.decision import Kind, Overrides, Reading
from realtime_bridge.rollout.dial.errors import RolloutError
from realtime_bridge.rollout.dial.stages import Stage, StageName
from realtime_bridge.shared import sql
from realtime_bridge.shared.variables import Told

Connection = AsyncConnection[Any]
_QUERIES = sql.AsyncQueries(__file__)


async def get_reading(connection: Connection, flag: str, known: Reading | None = None) -> Reading:
    """Return the dial as clients are told by it; `known` is returned when nothing has changed since."""
    row = await _QUERIES.find_row(connection, "find_dial", dict_row, flag=flag)
    if row is None:
        raise RolloutError(f"There is no flag {flag!r}.")
    if known is not None and known.revision == row["revision"]:
        return known
    overrides: Overrides = {
        (Kind(o["kind"]), o["subject"]): Told(o["provider"])
        for o in await _QUERIES.list_rows(connection, "list_overrides", dict_row, flag=flag)
    }
    known_by_name = {name: row[name] for name in ("version", "revision", "since")}
    return Reading(flag=flag, stage=stage_of(row), overrides=overrides, **known_by_name)


def stage_of(row: DictRow) -> Stage:
    return Stage(name=StageName(row["stage"]), buckets=row["buckets"])
