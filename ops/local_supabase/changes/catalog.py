"""Catalog of what the log does not carry. Types, keys, grants, and whether a filter or a policy lets a row through."""

import json
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from psycopg import sql
from psycopg.rows import tuple_row

from ops.local_supabase.access.authorization import become
from ops.local_supabase.access.tokens import Claims
from ops.local_supabase.changes.filters import Filter
from ops.local_supabase.database.connections import Connection
from ops.local_supabase.replication.pgoutput import Relation
from realtime_bridge.shared.sql import AsyncQueries

_QUERIES = AsyncQueries(__file__)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column: short type name for clients, the one that values are cast to, and the one that loses nothing."""

    name: str
    type_name: str
    cast_type: str
    exact_type: str
    primary: bool
    expression: str | None
    """What a generated column is made of; the log does not carry those."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table, as of the moment the log described it."""

    relation: Relation
    columns: tuple[ColumnFacts, ...]
    policies_apply: bool

    @property
    def primary_key(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.primary)

    @property
    def generated(self) -> dict[str, str]:
        return {column.name: column.expression for column in self.columns if column.expression is not None}

    def column(self, name: str) -> ColumnFacts:
        return next(column for column in self.columns if column.name == name)


async def table_facts(connection: Connection, relation: Relation) -> TableFacts:
    """Look a table up; one that is gone meanwhile has no columns."""
    rows = await _QUERIES.list_rows(connection, "table_facts", tuple_row, oid=relation.oid)
    columns = tuple(ColumnFacts(*row[:-1]) for row in rows)
    return TableFacts(relation, columns, bool(rows) and bool(rows[0][-1]))


async def with_generated(
    connection: Connection, facts: TableFacts, values: dict[str, str | None]
) -> dict[str, str | None]:
    """Add what generated columns hold, computed from the row itself; a row that lacks one of its columns has none."""
    stored = [column for column in facts.columns if column.expression is None]
    if not facts.generated or any(column.name not in values for column in stored):
        return values
    row = sql.SQL(", ").join(
        sql.SQL("{}::text::{} as {}").format(
            sql.Literal(values[column.name]), sql.SQL(column.exact_type), sql.Identifier(column.name)
        )
        for column in stored
    )
    made = sql.SQL(", ").join(sql.SQL("({})::text").format(sql.SQL(text)) for text in facts.generated.values())
    cursor = await connection.execute(sql.SQL("select {} from (select {}) as stored").format(made, row))
    return {**values, **dict(zip(facts.generated, await cursor.fetchone() or (), strict=True))}


async def as_json(connection: Connection, facts: TableFacts, values: dict[str, str | None]) -> dict[str, Any]:
    """Give the log's text its JSON form."""
    types = [facts.column(name).cast_type for name in values]
    texts = await _QUERIES.list_values(connection, "row_as_json", types=types, values=list(values.values()))
    return {name: json.loads(text) for name, text in zip(values, texts, strict=True)}


async def readable_columns(connection: Connection, facts: TableFacts, role: str) -> set[str]:
    return set(await _QUERIES.list_values(connection, "readable_columns", oid=facts.relation.oid, role=role))


async def is_visible(connection: Connection, facts: TableFacts, claims: Claims, key: dict[str, str | None]) -> bool:
    """Look the row up again as the subscriber: policies decide, and a row that is gone is not seen."""
    conditions = sql.SQL(" and ").join(
        sql.SQL("{} = {}::text::{}").format(
            sql.Identifier(name),
            sql.Literal(value),
            sql.SQL(facts.column(name).exact_type),
        )
        for name, value in key.items()
    )
    query = sql.SQL("select 1 from {} where {}").format(
        sql.Identifier(facts.relation.schema, facts.relation.table), conditions
    )
    try:
        async with connection.transaction(force_rollback=True):
            await become(connection, "", claims)
            cursor = await connection.execute(query)
            return await cursor.fetchone() is not None
    except psycopg.errors.DatabaseError:
        return False


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
