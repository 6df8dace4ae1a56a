"""Endings of sockets whose time is over. The token has run out, the user was put out, or is gone. Run by the server.

A socket is told why (`error`, with a code) and is closed in a way after which its client comes back by itself, with the
token that it has then: whether that opens anything is asked anew.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import class_row

from realtime_bridge.legacy.frame import Emit
from realtime_bridge.legacy.sessions import Session, Sessions
from realtime_bridge.shared import sql
from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.tokens import Claims

log = structlog.get_logger(__name__)
_QUERIES = sql.AsyncQueries(__file__)

TICK_S = 1.0  # how late a socket may outlive its token, or an eviction
GONE_EVERY_S = 10.0  # how late it may outlive its user: one index lookup for each
GONE_AT_MOST = 1_000  # users asked for in one statement
ANSWER_S = 5.0
LATE_COMMIT = timedelta(seconds=5)  # an eviction shows as late after its moment, if its transaction was slow
REMEMBERED = timedelta(days=1)  # tokens of a day; older ones are refused when they ask for something


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A user whose sockets are to be closed, once. `ended_at` (epoch seconds): older tokens open nothing any more."""

    user_id: UUID
    closed_at: datetime
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class Ending:
    code: str
    reason: str

    def emit(self, *rooms: str) -> Emit:
        data = {"code": self.code, "message": self.reason}
        return Emit(event="error", data=data, rooms=rooms, conversation_id=0)


EXPIRED = Ending("token_expired", "The token has expired; come back with a new one, or send it as `token` in time.")
EVICTED = Ending("evicted", "The operator has ended this user's sockets.")
GONE = Ending("user_gone", "There is no such user any more.")
RESYNC = Ending("resync", "Messages may be missing: say `afterSeq` when you subscribe, or read them over REST.")

Close = Callable[[Session, Ending], Awaitable[None]]


class Endings:
    """Looks once a TICK_S. `close`, set by who wires it, tells a session's client why, and closes it."""

    close: Close

    def __init__(self, sessions: Sessions, pool: Pool) -> None:
        self._sessions = sessions
        self._pool = pool
        self._since: datetime | None = None
        self._closed: dict[UUID, Closed] = {}  # of the last day
        self._gone_at = 0.0

    async def run(self) -> None:
        """Look until cancelled; a database that does not answer ends nobody."""
        while True:
            await self.run_once()
            await asyncio.sleep(TICK_S)

    async def run_once(self) -> int:
        """Close whose time is over; return how many were closed."""
        ended = [(session, EXPIRED) for session in self._sessions.all() if self._sessions.has_expired(session)]
        try:
            async with asyncio.timeout(ANSWER_S), self._pool.connection() as connection:
                ended += await self._find_closed(connection)
                ended += await self._find_gone(connection)
        except (psycopg.Error, TimeoutError, OSError) as error:
            log.warning("not known who was put out", error=f"{type(error).__name__}: {error}".strip())
        for session, ending in ended:
            await self.close(session, ending)
        return len(ended)

    def is_evicted(self, claims: Claims) -> bool:
        """Whether an eviction has ended this token, as far as is known here now."""
        closed = self._closed.get(claims.user_id)
        return closed is not None and closed.ended_at is not None and claims.issued_at < closed.ended_at

    async def _find_closed(self, connection: AsyncConnection[Any]) -> list[tuple[Session, Ending]]:
        """Return the sessions of those who were put out since the last look; at the first look there were none."""

        async def find(since: datetime) -> list[Closed]:
            return await _QUERIES.list_rows(connection, "find_closed", class_row(Closed), since=since)

        if self._since is None:
            now: datetime = await _QUERIES.get_value(connection, "find_now")
            self._note(await find(now - REMEMBERED))
            self._since = now - LATE_COMMIT
        found = await find(self._since)
        news = [closed for closed in found if self._closed.get(closed.user_id) != closed]
        if news:
            self._since = max(self._since, news[-1].closed_at - LATE_COMMIT)
            self._note(news)
        return [(session, EVICTED) for closed in news for session in self._sessions.of_user(closed.user_id)]

    def _note(self, news: list[Closed]) -> None:
        """Note evictions, the newest last, and forget those that are no longer remembered then."""
        known = [*self._closed.values(), *news]
        self._closed = {one.user_id: one for one in known if one.closed_at > known[-1].closed_at - REMEMBERED}

    async def _find_gone(self, connection: AsyncConnection[Any]) -> list[tuple[Session, Ending]]:
        if time.monotonic() - self._gone_at < GONE_EVERY_S:
            return []
        self._gone_at = time.monotonic()
        users, gone = self._sessions.users(), set[UUID]()
        for start in range(0, len(users), GONE_AT_MOST):
            asked = users[start : start + GONE_AT_MOST]
            gone |= set(await _QUERIES.list_values(connection, "find_gone", user_ids=asked))
        return [(session, GONE) for user_id in gone for session in self._sessions.of_user(user_id)]
