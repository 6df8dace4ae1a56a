"""Filters of a subscription: `column=op.value`, joined by commas, each optionally `not.`."""

import re
from dataclasses import dataclass
from enum import StrEnum

_OUTSIDE_BRACKETS = re.compile(r",(?![^(]*\))")


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


@dataclass(frozen=True, slots=True)
class Filter:
    """One comparison. `value` is text; for `in` it is an array literal."""

    column: str
    operator: Operator
    value: str
    negated: bool

    def inspected(self) -> str:
        """As the real server prints it."""
        return f'{{"{self.column}", "{self.operator}", "{self.value}", {str(self.negated).lower()}}}'


def parse(text: str) -> tuple[Filter, ...]:
    """Read a filter; all of its parts must pass. Raises FilterError."""
    if not text:
        return ()
    return tuple(_parse_one(part) for part in _OUTSIDE_BRACKETS.split(text))


def _parse_one(text: str) -> Filter:
    column, equals, rest = text.partition("=")
    if not equals:
        raise FilterError(f'Error parsing `filter` params: ["{text}"]')
    negated = rest.startswith("not.")
    parts = rest.removeprefix("not.").split(".", 1)
    if len(parts) == 1 or parts[0] not in set(Operator):
        inspected = ", ".join(f'"{part}"' for part in parts)
        raise FilterError(f"Error parsing `filter` params: [{inspected}]")
    operator = Operator(parts[0])
    value = parts[1]
    if operator is Operator.IN:
        if not (value.startswith("(") and value.endswith(")")):
            raise FilterError(f'Error parsing `filter` params: ["in", "{value}"]')
        value = "{" + value[1:-1] + "}"
    return Filter(column, operator, value, negated)
