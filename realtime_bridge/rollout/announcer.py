"""Ask those clients to ask again whose answer has changed: `rollout.changed` on both sides. Called by the keeper.

A notice is a hint and stored nowhere: `{flag, version, eventId}`. A client that gets it asks
`POST /api/v1/chat/realtime/sessions` and catches up by seq; one that misses it asks when its token runs out.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import structlog
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from realtime_bridge import sql
from realtime_bridge.legacy.dialects import Emit, user_room
from realtime_bridge.legacy.fanout import FanoutUnavailable
from realtime_bridge.legacy.socketio_server import LegacyServer
from realtime_bridge.relay import Pool
from realtime_bridge.rollout import metrics
from realtime_bridge.rollout.decision import Reading
from realtime_bridge.rollout.windows import Side
from realtime_bridge.service import inbox_topic
from realtime_bridge.sinks.base import SinkError
from realtime_bridge.transports.base import Broadcast, Transport

log = structlog.get_logger(__name__)

_QUERIES = sql.load(__file__)
EVENT = "rollout.changed"
BATCH = 100  # users: one request of the http transport, one entry of the legacy stream
TRIES = 5
RETRY_S = 1.0  # a restarting side is back by then; after all tries the client's own token has to run out
NOBODY = UUID(int=0)


class Announcer:
    """Sends notices over a transport of its own and the legacy sockets, either of which may be missing."""

    def __init__(
        self,
        pool: Pool,
        *,
        transport: Transport | None,
        legacy: LegacyServer | None,
        ask: Callable[[UUID, UUID], Any] | None = None,
    ) -> None:
        self._pool = pool
        self._transport = transport
        self._legacy = legacy
        self._ask = ask

    async def announce(self, reading: Reading, is_current: Callable[[], bool] = lambda: True) -> int:
        """Tell everybody who holds another answer than `reading` gives; return how many.

        Stops when `reading` is not current any more: the next announcement finds whoever is left. A side that takes
        nothing for all tries is left out of the rest.
        """
        count = 0
        silent: set[Side] = set()
        async for batch in self._affected(reading):
            if not is_current():
                break
            tell = {Side.SUPABASE: self._tell_supabase, Side.LEGACY: self._tell_legacy}
            sides = [side for side in Side if side not in silent]
            taken = await asyncio.gather(*(tell[side](reading, batch) for side in sides))
            silent.update(side for side, ok in zip(sides, taken, strict=True) if not ok)
            count += len(batch)
        if count:
            log.info("rollout announced", stage=reading.stage.label, version=reading.version, users=count)
        return count

    async def forget(self) -> None:
        """Delete answers that nobody can still hold."""
        async with self._pool.connection() as connection:
            await connection.execute(_QUERIES["forget"])

    async def _affected(self, reading: Reading) -> AsyncIterator[list[UUID]]:
        after = (NOBODY, NOBODY)
        while True:
            values = {"after_user": after[0], "after_account": after[1], "limit": BATCH}
            async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as reader:
                rows = await (await reader.execute(_QUERIES["list_told"], values)).fetchall()
            changed = [
                row["user_id"]
                for row in rows
                if reading.decide(row["user_id"], row["account_id"], self._ask).provider != row["provider"]
            ]
            if changed:
                yield list(dict.fromkeys(changed))
            if len(rows) < BATCH:
                return
            after = (rows[-1]["user_id"], rows[-1]["account_id"])

    async def _tell_supabase(self, reading: Reading, users: Sequence[UUID]) -> bool:
        transport = self._transport
        if transport is None:
            return False
        notices = [
            Broadcast(topic=inbox_topic(user), event=EVENT, payload=_payload(reading, event_id), id=event_id)
            for user in users
            for event_id in (uuid4(),)
        ]

        async def send() -> None:
            if not transport.transactional:
                await transport.send(notices, None)
                return
            connection: AsyncConnection[Any]
            async with self._pool.connection() as connection, connection.transaction():
                await transport.send(notices, connection)

        return await self._persist(Side.SUPABASE, reading, len(users), send)

    async def _tell_legacy(self, reading: Reading, users: Sequence[UUID]) -> bool:
        legacy = self._legacy
        if legacy is None:
            return False
        emits = [
            Emit(event=EVENT, data=_payload(reading, uuid4()), rooms=(user_room(user),), conversation_id=0)
            for user in users
        ]
        return await self._persist(Side.LEGACY, reading, len(users), lambda: legacy.publish(emits))

    async def _persist(self, side: Side, reading: Reading, count: int, send: Callable[[], Any]) -> bool:
        """Return whether the side took it, after some tries."""
        for number in range(TRIES):
            try:
                await send()
            except (SinkError, FanoutUnavailable) as reason:
                log.info("notice not taken", side=side, reason=str(reason))
                if number + 1 < TRIES:
                    await asyncio.sleep(RETRY_S)
            else:
                metrics.NOTICES.labels(reading.flag, side.value).inc(count)
                return True
        metrics.NOTICES_LOST.labels(reading.flag, side.value).inc(count)
        return False


def _payload(reading: Reading, event_id: UUID) -> dict[str, Any]:
    return {"flag": reading.flag, "version": reading.version, "eventId": str(event_id)}
