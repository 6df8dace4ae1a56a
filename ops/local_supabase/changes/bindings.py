"""Bindings, read from `config.postgres_changes`, or refused in the real server's words."""

from dataclasses import dataclass
from typing import Any

from ops.local_supabase.changes import filters
from ops.local_supabase.changes.filters import Filter, FilterError, inspect
from ops.local_supabase.replication.pgoutput import Operation

ANY = "*"
_NOTHING_NAMED = "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to: "
_SELECT_NO_LIST = 'Error parsing `select` params: expected a list of column name strings, e.g. select: ["col1", "col2"]'
_SELECT_OF_ALL = (
    "Column selection is not supported for wildcard subscriptions. Provide an explicit schema and table name."
)


class BindingError(ValueError):
    """A subscription that cannot be made; the text goes to the client as a `system` error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Which rows a client asks for. `*` stands for every event, schema or table."""

    event: str
    schema: str
    table: str
    filters: tuple[Filter, ...]
    select: tuple[str, ...] | None

    def inspected(self) -> str:
        """As the real server prints it in its messages."""
        conditions = ", ".join(condition.inspected() for condition in self.filters)
        names = inspect(None if self.select is None else list(self.select))
        return (
            f"[event: {self.event}, schema: {self.schema}, table: {self.table},"
            f" filters: [{conditions}], select: {names}]"
        )

    def wants(self, operation: Operation, schema: str, table: str) -> bool:
        """Whether a change is of the event and table asked for; filters come later."""
        return self.wants_event(operation) and self.schema in (ANY, schema) and self.table in (ANY, table)

    def wants_event(self, operation: Operation) -> bool:
        return self.event in (ANY, operation)


def read(entry: dict[str, Any]) -> Binding:
    """Read an entry; an unknown event counts as `*`. Raises BindingError."""
    select = _columns(entry.get("select"))
    names: dict[str, Any] = {name: entry[name] for name in ("schema", "table", "filter") if name in entry}
    if any(not isinstance(value, str) for value in names.values()) or not _is_addressed(names):
        shown = "<redacted>" if {"user_token", "auth_token"} & entry.keys() else inspect(entry)
        raise BindingError(_NOTHING_NAMED + shown)
    try:
        parsed = filters.parse(names.get("filter", ""))
    except FilterError as error:
        raise BindingError(str(error)) from None
    schema, table = names.get("schema", "public"), names.get("table", ANY)
    if select is not None and ANY in (schema, table):
        raise BindingError(_SELECT_OF_ALL)
    event = str(entry.get("event", ANY)).upper()
    event = event if event in set(Operation) else ANY
    return Binding(event=event, schema=schema, table=table, filters=parsed, select=select)


def _is_addressed(names: dict[str, Any]) -> bool:
    """A schema or a table is enough, but a filter asks for both."""
    return {"schema", "table"} <= names.keys() if "filter" in names else bool(names)


def _columns(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        raise BindingError(_SELECT_NO_LIST)
    names = tuple(name for name in value if isinstance(name, str)) if isinstance(value, list) else ()
    return names or None
