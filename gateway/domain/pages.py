"""Pages of lists: where one ends, and how much it may hold. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_SORT_US = 253_402_300_799_999_999  # the end of the year 9999, which Postgres and everybody else can still read


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a page ended: the sort time in microseconds since 1970, where there is one, and the id."""

    sort_us: int = 0
    id: int

    @property
    def bound(self) -> dict[str, object]:
        """As queries take it, which list what is before it."""
        return {"before_at": EPOCH + timedelta(microseconds=self.sort_us), "before_id": self.id}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Position):
    """A row of a list, at its position."""

    representation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Representations as JSON text, straight from the database. `last` is the last one shown, where a next page begins.

    `total` is None where nobody counts, because that would find all that the page need not.
    """

    items: tuple[str, ...]
    has_more: bool
    last: Position | None
    total: int | None = None


TOP = Position(sort_us=MAX_SORT_US, id=2**63 - 1)  # before everything
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


def page_of(rows: Sequence[Listed], limit: int, total: int | None = None) -> Page:
    """Return what fits of `rows`, of which there is one more than `limit` when the list goes on."""
    shown = rows[: count_fitting(row.representation for row in rows[:limit])]
    return Page(
        items=tuple(row.representation for row in shown),
        has_more=len(rows) > len(shown),
        last=shown[-1] if shown else None,
        total=total,
    )
