"""Catch-up: one account's log from a cursor on, also by waiting."""

from collections.abc import Sequence
from time import monotonic
from uuid import UUID

from gateway.database import Database
from gateway.domain import event_cursors
from gateway.domain.event_cursors import EventCursor, EventPage
from gateway.errors import CursorExpired
from gateway.live.event_waiters import Client, EventWaiters
from gateway.live.shared_reads import SharedReads
from gateway.store import events as store

LATEST = "latest"


class CatchUp:
    """One per worker. A consumer that waits holds neither a connection nor a place among the working requests."""

    def __init__(self, database: Database, waiters: EventWaiters) -> None:
        self._database = database
        self._waiters = waiters
        self._reads: SharedReads[EventPage] = SharedReads()

    def start_at(self, account_id: UUID, after: str | None) -> EventCursor:
        """Where to begin: at a cursor, at the oldest event that is kept, or after the newest one."""
        if after is not None and after != LATEST:
            return event_cursors.decode(after, account_id)
        with self._database.connection() as connection:
            oldest, newest = store.find_ends(connection)
        return newest if after == LATEST else oldest

    def list_events(
        self,
        account_id: UUID,
        after: EventCursor,
        *,
        types: Sequence[str] | None,
        limit: int,
        wait_s: float,
        client: Client | None = None,
    ) -> EventPage:
        """Return the next page; when there is nothing yet, wait up to `wait_s` while `client` is there.

        Raises CursorExpired.
        """
        deadline = monotonic() + wait_s
        with self._waiters.waiting(account_id, wait_s, client) as waiter:
            page = self._read(account_id, after, types, limit, not_before=monotonic())
            # A page of other types than those asked for moves the cursor, too, and is worth an answer at the end only.
            while not page.items and not page.has_more and waiter.wait(deadline):
                page = self._read(account_id, page.resting, types, limit, not_before=waiter.woken_at)
        return page

    def _read(
        self, account_id: UUID, after: EventCursor, types: Sequence[str] | None, limit: int, *, not_before: float
    ) -> EventPage:
        def read() -> EventPage:
            with self._database.connection() as connection:
                return store.read_events(connection, account_id, after, types=types, limit=limit)

        key = (account_id, after, tuple(types) if types is not None else None, limit)
        page = self._reads.get(key, read, not_before=not_before)
        if after.high_water < page.floor or after.high_water > page.newest:
            oldest = event_cursors.encode(EventCursor(high_water=page.floor), account_id)
            raise CursorExpired(oldest)
        return page
