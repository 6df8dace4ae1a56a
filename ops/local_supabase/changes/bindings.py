"""One entry of `config.postgres_changes`, read; and the real server's words when it cannot be."""

from dataclasses import dataclass
from typing import Any

from ops.local_supabase.changes import filters
from ops.local_supabase.changes.filters import Filter, FilterError
from ops.local_supabase.pgoutput import Operation

ANY = "*"


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
        names = "nil" if self.select is None else "[" + ", ".join(f'"{name}"' for name in self.select) + "]"
        return (
            f"[event: {self.event}, schema: {self.schema}, table: {self.table},"
            f" filters: [{conditions}], select: {names}]"
        )

    def wants(self, operation: Operation, schema: str, table: str) -> bool:
        """Whether a change is of the event and table asked for; filters come later."""
        return self.event in (ANY, operation) and self.schema in (ANY, schema) and self.table in (ANY, table)


def read(entry: dict[str, Any]) -> Binding:
    """Read an entry; an unknown event counts as `*`. Raises BindingError."""
    schema, table, condition = entry.get("schema"), entry.get("table"), entry.get("filter", "")
    named = [value for value in (schema, table) if value is not None]
    if not named or any(not isinstance(value, str) for value in [*named, condition]):
        raise BindingError(
            "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to: "
            + _inspect(entry)
        )
    try:
        parsed = filters.parse(str(condition))
    except FilterError as error:
        raise BindingError(str(error)) from None
    event = str(entry.get("event", ANY)).upper()
    return Binding(
        event=event if event in set(Operation) else ANY,
        schema=str(schema if schema is not None else "public"),
        table=str(table if table is not None else ANY),
        filters=parsed,
        select=_columns(entry.get("select")),
    )


def _columns(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not value:
        return None
    return tuple(str(name) for name in value)


def _inspect(value: Any) -> str:
    """Print a decoded JSON value as Elixir does."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "%{" + ", ".join(f"{_inspect(key)} => {_inspect(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inspect(item) for item in value) + "]"
    return str(value)
