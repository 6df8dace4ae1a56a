"""Announcer of `rollout.changed`, on both sides, to those whose answer has changed. Called by the keeper.

A notice is a hint and stored nowhere: `{flag, version, eventId}`. A client that gets it asks
`POST /api/v1/chat/realtime/sessions` and catches up by seq. Who has not asked yet is told again, as long as its token
lives; after that it asks by itself.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import structlog
from psycopg.rows import dict_row

from realtime_bridge.legacy.fanout.local import FanoutUnavailable
from realtime_bridge.legacy.frame import Emit, user_room
from realtime_bridge.legacy.socketio.server import LegacyServer
from realtime_bridge.relay.sink import SinkError
from realtime_bridge.rollout import metrics
from realtime_bridge.rollout.dial.decision import Reading
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.shared import sql
from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.topics import inbox_topic
from realtime_bridge.supabase.transport import Broadcast, Transport, send_aside

log = structlog.get_logger(__name__)

_QUERIES = sql.AsyncQueries(__file__)
EVENT = "rollout.changed"
BATCH = 100  # users: one request of the http transport, one entry of the legacy stream
EXPIRED_S = 86_400.0  # a token may have run out while its socket lives on
NOBODY = UUID(int=0)
Tell = Callable[[Reading, Collection[UUID]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """`users` hold another answer; `may_answer` of them have a token that lives, and so perhaps a socket.

    Where a side broke off, `may_answer` is at least one.
    """

    users: int
    may_answer: int


@dataclass(frozen=True, eq=False, repr=False)
class Announcer:
    """Sends notices over a transport of its own and the legacy sockets, either of which may be missing."""

    pool: Pool
    transport: Transport | None = field(kw_only=True)
    legacy: LegacyServer | None = field(kw_only=True)
    ask: Callable[[UUID, UUID], Any] | None = field(default=None, kw_only=True)

    async def announce(
        self, reading: Reading, is_current: Callable[[], bool] = lambda: True, *, expired_s: float = EXPIRED_S
    ) -> Announced:
        """Tell everybody who holds another answer than `reading` gives, on both sides; neither waits for the other.

        Whose token ran out more than `expired_s` ago is left out. Stops when `reading` is not current any more: the
        next announcement finds whoever is left.
        """
        tellers: dict[Side, Tell] = {}
        if self.transport:
            tellers[Side.SUPABASE] = partial(self._tell_supabase, self.transport)
        if self.legacy:
            tellers[Side.LEGACY] = partial(self._tell_legacy, self.legacy)
        counts = await asyncio.gather(
            *(self._announce(reading, is_current, expired_s, *teller) for teller in tellers.items())
        )
        users = max((count for count, _ in counts), default=0)
        if users:
            log.info("rollout announced", stage=reading.stage.label, version=reading.version, users=users)
        return Announced(users=users, may_answer=max((live for _, live in counts), default=0))

    async def _announce(
        self, reading: Reading, is_current: Callable[[], bool], expired_s: float, side: Side, tell: Tell
    ) -> tuple[int, int]:
        """Return how many there were to tell and how many of their tokens live; a side that takes nothing is left."""
        users = live = 0
        async for batch in self._affected(reading, expired_s):
            if not is_current():
                break
            users += len(batch)
            live += sum(batch.values())
            try:
                await tell(reading, batch)
            except (SinkError, FanoutUnavailable) as reason:
                log.info("notice not taken", side=side, reason=str(reason))
                metrics.NOTICES_LOST.labels(reading.flag, side.value).inc(len(batch))
                live = max(live, 1)  # of those behind it nothing is known
                break
            metrics.NOTICES.labels(reading.flag, side.value).inc(len(batch))
        return users, live

    async def forget(self) -> None:
        """Delete answers that nobody can still hold."""
        async with self.pool.connection() as connection:
            await _QUERIES.run(connection, "forget")

    async def _affected(self, reading: Reading, expired_s: float) -> AsyncIterator[dict[UUID, bool]]:
        """Yield users in batches, and of each whether its token lives."""
        after = (NOBODY, NOBODY)
        while True:
            values = {"after_user": after[0], "after_account": after[1], "expired_s": expired_s, "limit": BATCH}
            async with self.pool.connection() as connection:
                rows = await _QUERIES.list_rows(connection, "list_told", dict_row, **values)
            changed: dict[UUID, bool] = {}
            for row in rows:
                user_id = row["user_id"]
                if reading.decide(user_id, row["account_id"], self.ask).provider != row["provider"]:
                    changed[user_id] = changed.get(user_id, False) or row["is_live"]
            if changed:
                yield changed
            if len(rows) < BATCH:
                return
            after = (rows[-1]["user_id"], rows[-1]["account_id"])

    async def _tell_supabase(self, transport: Transport, reading: Reading, users: Collection[UUID]) -> None:
        notices = [
            Broadcast(
                topic=inbox_topic(user), event=EVENT, payload=notice(reading, event_id), id=event_id, is_hint=True
            )
            for user in users
            for event_id in (uuid4(),)
        ]
        await send_aside(transport, self.pool, notices)

    async def _tell_legacy(self, legacy: LegacyServer, reading: Reading, users: Collection[UUID]) -> None:
        emits = [
            Emit(event=EVENT, data=notice(reading, uuid4()), rooms=(user_room(user),), conversation_id=0)
            for user in users
        ]
        await legacy.publish(emits)


def notice(reading: Reading, event_id: UUID) -> dict[str, Any]:
    return {"flag": reading.flag, "version": reading.version, "eventId": str(event_id)}
