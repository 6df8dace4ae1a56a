"""Pages of lists: where one ends, and how much it may hold. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a page of conversations ended: the sort time in microseconds since 1970, and the id."""

    sort_us: int
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Representations as JSON text, straight from the database. `last` is the position of the last one shown."""

    items: tuple[str, ...]
    total: int
    has_more: bool


PAGE_BYTES = 1_048_576  # 500 events of two kilobytes; eight threads of a worker making such pages hold some 30 MB


def count_fitting(representations: Iterable[str]) -> int:
    """Return how many, from the first on, fit into a page. At least one does, or there would be no way past it."""
    count, size = 0, 0
    for shown in representations:
        size += len(shown.encode())
        if count and size > PAGE_BYTES:
            break
        count += 1
    return count
