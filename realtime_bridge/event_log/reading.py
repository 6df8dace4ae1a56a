"""Pages of the event log past a cursor. Called by the relay; never writes (writers append through gateway/store)."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from realtime_bridge.event_log.cursor import Cursor, Snapshot
from realtime_bridge.event_log.event import Event
from realtime_bridge.shared import payloads, sql
from realtime_bridge.shared.content_html import with_html
from realtime_bridge.shared.payloads import Unreadable

Place = tuple[int, tuple[tuple[int, int], ...]]
"""What of a cursor decides on what is read: its mark, and the ids of its holes."""
_QUERIES = sql.AsyncQueries(__file__)
EVENT_FIELDS = (
    "id", "event_id", "account_id", "conversation_id", "seq", "type", "payload", "origin", "created_at",
)  # fmt: skip
PAGE_BYTES = 2_000_000  # payloads of a page as text; some ten times that when decoded, for a moment and each sink
SHARED_S = 0.1  # a page also says who takes part: that must not be old; and nobody waits longer for another's
NO_TIME = datetime.fromtimestamp(0, UTC)  # stands for a time that Python does not have


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Events in the order of delivery (accounts take turns, each in id order) and the snapshot they were read with."""

    events: tuple[Event, ...]
    snapshot: Snapshot
    first_left: int | None
    """From this id on there may be events that were seen, or not looked at, and are not on the page; None for none."""
    replays: frozenset[str]
    """Sinks of which an operator wants parked events sent again."""
    is_shared: bool
    """Whether more than one account has events in what was looked at."""

    def advance(self, cursor: Cursor, settled: int) -> Cursor:
        """Return the cursor after the first `settled` events."""
        left = [event.id for event in self.events[settled:]]
        left += [] if self.first_left is None else [self.first_left]
        ids = sorted(event.id for event in self.events[:settled])
        return cursor.advance(ids, self.snapshot, up_to=min(left) - 1 if left else None)


async def read_page(
    connection: AsyncConnection[Any], cursor: Cursor, limit: int, look_ahead: int | None = None
) -> Page:
    """Read up to `limit` events, and PAGE_BYTES, of the first `look_ahead` in the cursor's holes or above its mark."""
    holes = [{"first": hole.first, "last": hole.last} for hole in cursor.holes]
    values = {
        "high_water": cursor.high_water,
        "holes": Jsonb(holes),
        "limit": limit,
        "look_ahead": max(limit, look_ahead or 0),
        "page_bytes": PAGE_BYTES,
    }
    rows = await _QUERIES.list_rows(connection, "read_page", dict_row, **values)
    head = rows[0]
    left = [head["first_left"]] if head["first_left"] is not None else []
    return Page(
        events=tuple(event_of(row) for row in rows if row["id"] is not None),
        snapshot=Snapshot(xmin=head["xmin"], bound=head["bound"]),
        first_left=min([*left, head["last_ahead"] + 1] if head["is_cut"] else left, default=None),
        replays=frozenset(head["replays"]),
        is_shared=head["accounts"] > 1,
    )


class Pages:
    """Pages for several relays: who asks for what another one has just read, or is reading, gets the same page.

    A page says what was there when it was read, whoever uses it, and whatever came since is on the next.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._under_way: dict[Place, asyncio.Event] = {}
        self._newest: tuple[Place, float, Page] | None = None

    async def read(
        self, connection: AsyncConnection[Any], cursor: Cursor, limit: int, look_ahead: int, *, not_before: float = 0.0
    ) -> Page:
        """As `read_page`; a page of another's was begun at `not_before` or later."""
        place = cursor.high_water, tuple((hole.first, hole.last) for hole in cursor.holes)
        if other := self._under_way.get(place):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(other.wait(), SHARED_S)
        if self._newest and self._newest[0] == place and self._newest[1] >= max(not_before, self._clock() - SHARED_S):
            page = self._newest[2]
            if len(page.events) <= limit:
                return page
        done, began, self._newest = asyncio.Event(), self._clock(), None
        self._under_way[place] = done
        try:
            page = await read_page(connection, cursor, limit, look_ahead)
            if page.events and page.first_left is None:
                self._newest = place, began, page
            return page
        finally:
            done.set()
            self._under_way.pop(place, None)


def event_of(row: dict[str, Any]) -> Event:
    """Return the event of a row with its payload as text; one that cannot be read says so, and fails nobody else.

    With the safe form of its texts when the row says that its account wants it.
    """
    reason, payload = "", {}
    try:
        payload = payloads.decode(row["payload"])
    except Unreadable as error:
        reason = str(error)
    if row["created_at"] is None:
        reason = "The time cannot be read: it is not within the years 1 to 9999."
    if row.get("wants_html"):
        payload = with_html(payload)
    fields = {name: row[name] for name in EVENT_FIELDS} | {"payload": payload, "unreadable": reason}
    fields["payload_bytes"] = len(row["payload"])
    return Event(**fields | {"created_at": row["created_at"] or NO_TIME}, participants=tuple(row["participants"]))
