"""Checks whether a binding can be served. What could only be lost later is refused when it is made."""

import psycopg

from ops.local_supabase.changes.bindings import Binding, BindingError
from ops.local_supabase.database.connections import Connection
from realtime_bridge.shared.sql import AsyncQueries

_QUERIES = AsyncQueries(__file__)


async def check_binding(connection: Connection, binding: Binding, role: str) -> frozenset[int]:
    """Refuse what can never be delivered; return the tables' oids. Raises BindingError with the real server's text."""
    tables = await _QUERIES.list_values(connection, "published_tables", schema=binding.schema, table=binding.table)
    if not tables:
        raise BindingError(
            "Unable to subscribe to changes with given parameters."
            " Please check Realtime is enabled for the given connect parameters: " + binding.inspected()
        )
    try:
        async with connection.transaction():
            await _QUERIES.run(connection, "check_role", role=role)
            for oid in tables:
                await _check_table(connection, binding, oid, role)
    except psycopg.Error as error:
        raise _exception(binding, error) from None
    return frozenset(tables)


async def _check_table(connection: Connection, binding: Binding, oid: int, role: str) -> None:
    for condition in binding.filters:
        values = {"column": condition.column, "operator": condition.operator, "value": condition.value}
        await _QUERIES.run(connection, "check_filter", oid=oid, role=role, **values)
    if binding.select is not None:
        await _QUERIES.run(connection, "check_selected", oid=oid, role=role, columns=list(binding.select))


def _exception(binding: Binding, error: psycopg.Error) -> BindingError:
    detail = f"\n\n{error.diag.message_detail}" if error.diag.message_detail else ""
    return BindingError(
        "Unable to subscribe to changes with given parameters. An exception happened so please check your connect"
        f" parameters: {binding.inspected()}. Exception: ERROR {error.sqlstate or 'XX000'} ({_name(error)})"
        f" {error.diag.message_primary or ''}{detail}"
    )


def _name(error: psycopg.Error) -> str:
    name = type(error).__name__.removesuffix("_")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
