"""Broadcast by `realtime.send` in the transaction that moves the cursor: committed together, so exactly once.

`realtime.send` turns every error into a WARNING and succeeds; the notice handler here turns it back. And Realtime
broadcasts only what is written while it is connected: after a restart the transport waits a little for its slot.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.errors import Diagnostic
from psycopg.types.json import Jsonb

from realtime_bridge import sql
from realtime_bridge.sinks.base import EventRefused, SinkNotReady, SinkUnavailable
from realtime_bridge.transports.base import Broadcast

_QUERIES = sql.load(__file__)
WARNING_PREFIX = "WarnSendingBroadcastMessage"
PASSING_REASONS = ("no partition", "row-level security", "permission denied", "does not exist", "lock timeout")
"""Warnings about the database as a whole: repairing it makes the same message go through."""
MAX_BATCH = 500  # rows a statement: measured knee of realtime.send, about 25 ms
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
            "payloads": [Jsonb(broadcast.payload) for broadcast in broadcasts],
            "events": [broadcast.event for broadcast in broadcasts],
            "topics": [broadcast.topic for broadcast in broadcasts],
        }
        try:
            async with connection.transaction(), _warnings(connection) as warnings:
                await connection.execute(_QUERIES["send"], values)
                _check(warnings)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise EventRefused(str(error)) from error
        except (psycopg.ProgrammingError, psycopg.NotSupportedError) as error:
            raise SinkUnavailable(f"realtime.send: {error}") from error

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


@asynccontextmanager
async def _warnings(connection: AsyncConnection[Any]) -> AsyncIterator[list[str]]:
    """Collect what `realtime.send` complains about instead of failing."""
    collected: list[str] = []

    def collect(diagnostic: Diagnostic) -> None:
        text = diagnostic.message_primary or ""
        if text.startswith(WARNING_PREFIX):
            collected.append(text.removeprefix(WARNING_PREFIX).lstrip(": "))

    connection.add_notice_handler(collect)
    try:
        yield collected
    finally:
        connection.remove_notice_handler(collect)


def _check(warnings: Sequence[str]) -> None:
    for text in warnings:
        if any(reason in text for reason in PASSING_REASONS):
            raise SinkUnavailable(f"realtime.send: {text}")
    if warnings:
        raise EventRefused(f"realtime.send: {warnings[0]}")
