"""The log as one account sees it. Called by services/events.py; only reads, also what other code appends."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from psycopg.rows import class_row, tuple_row

from gateway.database import Connection
from gateway.domain.event_cursors import EventCursor, EventPage, still_unfinished, unfinished_at
from gateway.domain.pages import PAGE_BYTES
from realtime_bridge.shared import sql
from realtime_bridge.shared.payloads import is_readable

SCAN_AT_MOST = 2_000  # events looked at for a page that wants some types only; about four milliseconds

_SQL = sql.Queries(__file__)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    newest: int
    floor: int
    late_count: int
    last_late: int | None
    fresh_count: int
    last_fresh: int | None
    scanned_count: int
    last_scanned: int | None
    xmax: int
    in_progress: list[int]
    next_xid: int | None
    last_shown: int | None
    is_cut: bool
    representations: list[str] | None


def read_events(
    connection: Connection, account_id: UUID, after: EventCursor, *, types: Sequence[str] | None, limit: int
) -> EventPage:
    """Return up to `limit` events, as fit into a page, that the cursor has not shown; in the order of the log."""
    scan = limit + 1 if types is None else SCAN_AT_MOST
    values = {
        "account_id": account_id,
        "high_water": after.high_water,
        "firsts": [found.first for found in after.unfinished],
        "lasts": [found.last for found in after.unfinished],
        "types": None if types is None else list(types),
        "limit": limit,
        "scan": scan,
        "page_bytes": PAGE_BYTES,
    }
    row = _SQL.get_row(connection, "read_events", class_row(_Read), **values)
    high_water = _high_water(row, after, limit, scan)
    has_more = (
        row.is_cut or row.late_count == limit or (row.last_scanned or 0) > high_water or row.scanned_count == scan
    )
    unmoved = EventCursor(
        high_water=after.high_water, unfinished=still_unfinished(after.unfinished, row.xmax, row.in_progress)
    )
    moved = unmoved if row.next_xid is None else _cursor(high_water, row.xmax, row.in_progress, row.next_xid)
    return EventPage(
        items=_readable(row.representations or (), account_id),
        cursor=moved,
        resting=unmoved if row.late_count == row.scanned_count == 0 else moved,
        has_more=has_more,
        floor=row.floor,
        newest=max(row.newest, row.floor),
    )


def _readable(representations: Sequence[str], account_id: UUID) -> tuple[str, ...]:
    """Leave out what no consumer could read, and every sink has parked: it must not spoil a page."""
    found = tuple(text for text in representations if is_readable(text))
    if len(found) < len(representations):
        left_out = len(representations) - len(found)
        _log.warning("events_left_out", account_id=str(account_id), count=left_out, reason="unreadable payload")
    return found


def find_ends(connection: Connection) -> tuple[EventCursor, EventCursor]:
    """Return the oldest and the newest place to begin at."""
    floor, newest, xmax, in_progress, next_xid = _SQL.get_row(connection, "find_ends", tuple_row)
    return EventCursor(high_water=floor), _cursor(max(newest, floor), xmax, in_progress, next_xid)


def _high_water(row: _Read, after: EventCursor, limit: int, scan: int) -> int:
    """Return the mark up to which this page showed everything that can be seen.

    When late events alone fill a page, the mark goes back to the last of them: what was shown between there and the old
    mark is shown again. It takes more late events than a page has room for, that is a transaction of hundreds of them.
    A page that was cut because it grew too large ends with what it shows, in the same way.
    """
    if row.is_cut:
        return row.last_shown or after.high_water
    if row.late_count == limit:
        return row.last_late or 0
    if row.fresh_count == limit - row.late_count:
        return row.last_fresh or after.high_water
    if row.scanned_count == scan:
        return row.last_scanned or after.high_water
    return max(after.high_water, row.newest)


def _cursor(high_water: int, xmax: int, in_progress: Sequence[int], next_xid: int) -> EventCursor:
    return EventCursor(high_water=high_water, unfinished=unfinished_at(xmax, in_progress, next_xid))
