"""Filters of a subscription: `column=op.value`, joined by commas, each optionally `not.`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_MAY_PRECEDE_QUOTES = (".", "(", ",")  # elsewhere a quotation mark is one like any other character


class Operator(StrEnum):
    """Comparisons Supabase knows."""

    EQ = "eq"
    NEQ = "neq"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    IN = "in"
    LIKE = "like"
    ILIKE = "ilike"
    IS = "is"
    MATCH = "match"
    IMATCH = "imatch"
    ISDISTINCT = "isdistinct"


class FilterError(ValueError):
    """A filter that cannot be read; the text is what the client gets."""

    def __init__(self, found: str) -> None:
        super().__init__(f"Error parsing `filter` params: {found}")


@dataclass(frozen=True, slots=True)
class Filter:
    """One comparison. `value` is text; for `in` it is an array literal."""

    column: str
    operator: Operator
    value: str
    negated: bool

    def inspected(self) -> str:
        """As the real server prints it."""
        parts = ", ".join(inspect(str(part)) for part in (self.column, self.operator, self.value))
        return f"{{{parts}, {inspect(self.negated)}}}"


def inspect(value: Any) -> str:
    """Print a decoded JSON value as the real server does, in Elixir's way."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "%{" + ", ".join(f"{inspect(key)} => {inspect(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(inspect(item) for item in value) + "]"
    return str(value)


def parse(text: str) -> tuple[Filter, ...]:
    """Read a filter; all of its parts must pass. Raises FilterError."""
    trimmed = text.strip()
    return tuple(_parse_one(part.strip()) for part in _split(trimmed)) if trimmed else ()


def _split(text: str) -> list[str]:
    """Cut at commas that stand in neither brackets nor quotation marks."""
    parts, start, depth, quoted, escaped, before = [], 0, 0, False, False, ""
    for position, character in enumerate(text):
        if quoted:
            quoted = escaped or character != '"'
            escaped = not escaped and character == "\\"
        elif character == '"' and before in _MAY_PRECEDE_QUOTES:
            quoted = True
        elif character == "," and depth == 0:
            parts.append(text[start:position])
            start, character = position + 1, ""  # noqa: PLW2901 - a new part has nothing before it
        else:
            depth = max(0, depth + (character == "(") - (character == ")"))
        before = character
    return [*parts, text[start:]]


def _parse_one(text: str) -> Filter:
    if not text:
        raise FilterError("filter must not contain empty segments (check for extra commas)")
    column, equals, rest = text.partition("=")
    if not equals:
        raise FilterError(inspect([text]))
    negated = rest.startswith("not.")
    parts = rest.removeprefix("not.").split(".", 1)
    if len(parts) == 1 or parts[0] not in set(Operator):
        raise FilterError(inspect(parts))
    operator = Operator(parts[0])
    value = _list(parts[1]) if operator is Operator.IN else _unquoted(parts[1])
    return Filter(column, operator, value, negated)


def _list(value: str) -> str:
    if len(value) <= 1 or not (value.startswith("(") and value.endswith(")")):
        raise FilterError("`in` filter value must be wrapped by parentheses")
    return "{" + value[1:-1] + "}"


def _unquoted(value: str) -> str:
    """Take a value that is quoted as a whole out of its marks; anything else stays as it is."""
    if not value.startswith('"'):
        return value
    taken, rest = "", iter(value[1:])
    for character in rest:
        if character == '"':
            return taken if next(rest, None) is None else value
        taken += next(rest, "") if character == "\\" else character
    return value
