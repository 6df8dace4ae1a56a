"""Asks Postgres what the log does not carry: types, keys, grants, and whether a filter or a policy lets a row pass."""

import json
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from ops.local_supabase.authorization import become
from ops.local_supabase.changes.bindings import Binding, BindingError
from ops.local_supabase.changes.filters import Filter
from ops.local_supabase.pgoutput import Relation
from ops.local_supabase.sessions import Connection
from ops.local_supabase.tokens import Claims
from realtime_bridge.sql import load

_QUERIES = load(__file__)


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column: short type name for clients, full one for casts."""

    name: str
    type_name: str
    cast_type: str
    primary: bool


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table, as of the moment the log described it."""

    relation: Relation
    columns: tuple[ColumnFacts, ...]
    policies_apply: bool

    @property
    def primary_key(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.primary)

    def cast_type(self, name: str) -> str:
        return next(column.cast_type for column in self.columns if column.name == name)


async def check_binding(connection: Connection, binding: Binding, role: str) -> None:
    """Refuse what can never be delivered; raises BindingError with the real server's text."""
    cursor = await connection.execute(_QUERIES["published_columns"], {"schema": binding.schema, "table": binding.table})
    types = {str(row[0]): str(row[1]) for row in await cursor.fetchall()}
    if not types:
        raise BindingError(
            "Unable to subscribe to changes with given parameters."
            " Please check Realtime is enabled for the given connect parameters: " + binding.inspected()
        )
    try:
        async with connection.transaction():
            await connection.execute(_QUERIES["check_role"], {"role": role})
            for condition in binding.filters:
                await _check_filter(connection, binding, condition, types)
    except psycopg.Error as error:
        raise _exception(binding, error.sqlstate or "XX000", _name(error), error.diag.message_primary or "") from None


async def _check_filter(connection: Connection, binding: Binding, condition: Filter, types: dict[str, str]) -> None:
    if condition.column not in types:
        raise _exception(binding, "P0001", "raise_exception", f"invalid column for filter {condition.column}")
    values = {"type": types[condition.column], "operator": condition.operator, "value": condition.value}
    await connection.execute(_QUERIES["check_value"], values)


def _exception(binding: Binding, sqlstate: str, name: str, text: str) -> BindingError:
    return BindingError(
        "Unable to subscribe to changes with given parameters. An exception happened so please check your connect"
        f" parameters: {binding.inspected()}. Exception: ERROR {sqlstate} ({name}) {text}"
    )


def _name(error: psycopg.Error) -> str:
    name = type(error).__name__.removesuffix("_")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


async def table_facts(connection: Connection, relation: Relation) -> TableFacts:
    """Look a table up; one that is gone meanwhile has no columns."""
    cursor = await connection.execute(_QUERIES["table_facts"], {"oid": relation.oid})
    rows = await cursor.fetchall()
    columns = tuple(ColumnFacts(row[0], row[1], row[2], row[3]) for row in rows)
    return TableFacts(relation, columns, bool(rows) and bool(rows[0][4]))


async def as_json(connection: Connection, facts: TableFacts, values: dict[str, str | None]) -> dict[str, Any]:
    """Give the log's text its JSON form."""
    types = [facts.cast_type(name) for name in values]
    cursor = await connection.execute(_QUERIES["row_as_json"], {"types": types, "values": list(values.values())})
    texts = [row[0] for row in await cursor.fetchall()]
    return {name: json.loads(text) for name, text in zip(values, texts, strict=True)}


async def matching(
    connection: Connection, facts: TableFacts, conditions: list[Filter], values: dict[str, str | None]
) -> dict[Filter, bool]:
    """Ask once for all filters; a column the change does not carry passes none."""
    asked = [condition for condition in conditions if condition.column in values]
    answers = dict.fromkeys(conditions, False)
    if asked:
        parameters = {
            "types": [facts.cast_type(condition.column) for condition in asked],
            "operators": [condition.operator.value for condition in asked],
            "values": [values[condition.column] for condition in asked],
            "wanted": [condition.value for condition in asked],
            "negated": [condition.negated for condition in asked],
        }
        cursor = await connection.execute(_QUERIES["matching"], parameters)
        answers.update(zip(asked, [bool(row[0]) for row in await cursor.fetchall()], strict=True))
    return answers


async def readable_columns(connection: Connection, facts: TableFacts, role: str) -> set[str]:
    cursor = await connection.execute(_QUERIES["readable_columns"], {"oid": facts.relation.oid, "role": role})
    return {str(row[0]) for row in await cursor.fetchall()}


async def is_visible(connection: Connection, facts: TableFacts, claims: Claims, key: dict[str, str | None]) -> bool:
    """Look the row up again as the subscriber: policies decide, and a row that is gone is not seen."""
    conditions = sql.SQL(" and ").join(
        sql.SQL("{} = {}::text::{}").format(
            sql.Identifier(name),
            sql.Literal(value),
            sql.SQL(facts.cast_type(name)),
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
