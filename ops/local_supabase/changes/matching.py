"""Matching of a changed row with filters, by Postgres."""

import psycopg
import structlog

from ops.local_supabase.changes.catalog import TableFacts
from ops.local_supabase.changes.filters import Filter
from ops.local_supabase.database.connections import Connection
from realtime_bridge.shared.sql import AsyncQueries

_QUERIES = AsyncQueries(__file__)
_log = structlog.get_logger(__name__)


async def matching(
    connection: Connection, facts: TableFacts, conditions: list[Filter], values: dict[str, str | None]
) -> dict[Filter, bool]:
    """Ask once for all filters; a column the change does not carry passes none, and neither does one that fails."""
    asked = [condition for condition in conditions if condition.column in values]
    try:
        passed = await _ask(connection, facts, asked, values)
    except psycopg.DatabaseError:  # one of them: a column has another type since, for example; the others go on
        passed = [await _passes(connection, facts, condition, values) for condition in asked]
    return {**dict.fromkeys(conditions, False), **dict(zip(asked, passed, strict=True))}


async def _passes(connection: Connection, facts: TableFacts, condition: Filter, values: dict[str, str | None]) -> bool:
    try:
        return (await _ask(connection, facts, [condition], values))[0]
    except psycopg.DatabaseError as error:
        _log.warning("filter_failed", filter=condition.inspected(), reason=str(error).strip())
        return False


async def _ask(
    connection: Connection, facts: TableFacts, asked: list[Filter], values: dict[str, str | None]
) -> list[bool]:
    if not asked:
        return []
    parameters = {
        "types": [facts.column(condition.column).cast_type for condition in asked],
        "operators": [condition.operator.value for condition in asked],
        "values": [values[condition.column] for condition in asked],
        "wanted": [condition.value for condition in asked],
        "negated": [condition.negated for condition in asked],
    }
    async with connection.transaction():
        return [bool(passes) for passes in await _QUERIES.list_values(connection, "matching", **parameters)]
