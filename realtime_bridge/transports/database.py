"""Broadcast by rows of `realtime.messages`, in the transaction that moves the cursor: committed together, exactly once.

`realtime.send` would write the same rows under ids that nobody knows before, and turns every error into a WARNING. And
Realtime broadcasts only what is written while it is connected: after a restart the transport waits for its slot.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from realtime_bridge import sql
from realtime_bridge.sinks.base import EventRefused, SinkNotReady, SinkUnavailable
from realtime_bridge.transports.base import Broadcast

_QUERIES = sql.load(__file__)
MAX_BATCH = 500  # rows a statement: the measured knee
PASSING_ERRORS = (
    psycopg.errors.CheckViolation,  # no partition for today
    psycopg.errors.LockNotAvailable,
    psycopg.ProgrammingError,  # no such table, or not allowed
    psycopg.NotSupportedError,
)
"""About the database as a whole: repairing it makes the same message go through."""
HOLD_S = 10.0  # Realtime reconnects within seconds of a restart; with nobody connected to it there is no slot at all
HOLD_POLL_S = 0.25


class DatabaseTransport:
    """Sends through the relay's own connection. Needs the chat tables to live in the Supabase database."""

    transactional = True
    max_batch = MAX_BATCH

    def __init__(self, *, hold_s: float = HOLD_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._hold_s = hold_s
        self._clock = clock
        self._wait_until: float | None = None
        self._expects_listener = True

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None) -> None:
        """Write all of `broadcasts` through `connection`, or raise and leave nothing written."""
        if connection is None:
            raise SinkUnavailable("The database transport works only inside the relay's transaction.")
        await self._wait_for_listener(connection)
        values = {
            "ids": [broadcast.id for broadcast in broadcasts],
            "payloads": [Jsonb(broadcast.payload) for broadcast in broadcasts],
            "events": [broadcast.event for broadcast in broadcasts],
            "topics": [broadcast.topic for broadcast in broadcasts],
        }
        try:
            async with connection.transaction():
                await connection.execute(_QUERIES["send"], values)
        except PASSING_ERRORS as error:
            raise SinkUnavailable(f"realtime.messages: {error}") from error
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise EventRefused(str(error)) from error

    async def close(self) -> None:
        """Nothing to close: the connection is the relay's."""

    async def _wait_for_listener(self, connection: AsyncConnection[Any]) -> None:
        """Raise SinkNotReady while Realtime, lately connected, is reconnecting; for HOLD_S at most.

        After that nobody is listening (Realtime disconnects from an idle project), and holding back serves no one.
        """
        row = await (await connection.execute(_QUERIES["is_listening"])).fetchone()
        if row and row[0]:
            self._expects_listener, self._wait_until = True, None
            return
        if not self._expects_listener:
            return
        now = self._clock()
        self._wait_until = self._wait_until or now + self._hold_s
        if now < self._wait_until:
            raise SinkNotReady("Realtime is not connected to the database; waiting for it.", HOLD_POLL_S)
        self._expects_listener, self._wait_until = False, None
