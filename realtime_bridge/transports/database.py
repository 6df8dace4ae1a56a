"""Broadcast by rows of `realtime.messages`, in the transaction that moves the cursor: committed together, exactly once.

`realtime.send` would write the same rows under ids that nobody knows before, and turns every error into a WARNING. And
Realtime broadcasts only what is written while its replication slot is there. While it is away, events wait in the log;
and what was written shortly before, or because nobody seemed to listen, is written again when a slot is there.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from realtime_bridge import sql
from realtime_bridge.sinks.base import EventRefused, SinkNotReady, SinkUnavailable
from realtime_bridge.transports.base import Broadcast
from realtime_bridge.transports.refusals import send_all_but_refused
from realtime_bridge.transports.sent import SentLately

_QUERIES = sql.load(__file__)
MAX_BATCH = 500  # rows a statement: the measured knee
PASSING_ERRORS = (
    psycopg.errors.CheckViolation,  # no partition for today
    psycopg.errors.LockNotAvailable,
    psycopg.ProgrammingError,  # no such table, or not allowed
    psycopg.NotSupportedError,
)
"""About the database as a whole: repairing it makes the same message go through."""
HOLD_S = 10.0  # without a seat of our own it is not known whether anybody listens: an idle project has no slot
HOLD_SEATED_S = 900.0  # our own seat keeps a project awake: no slot is an outage. Then clients fetch
SETTLE_S = 3.0  # clients, whose sockets were cut too, are given this long to join again before they are told
ASLEEP_AFTER_S = 300.0  # away for longer, it was an idle project: whoever wakes it is joined already
HOLD_POLL_S = 0.25
AGAIN_POLL_S = 0.05
AWAY = "Realtime's replication slot is not there; events wait for it."
SILENT = "Realtime delivers nothing of what the database sends; events wait."
BACK = "Realtime is back; its clients are joining again."
AGAIN = "What Realtime has perhaps not heard is sent again first."


class DatabaseTransport:
    """Sends through the relay's own connection. Needs the chat tables to live in the Supabase database.

    `is_held` may be set by who knows that nothing comes out, though the slot is there. With `sends_again` somebody
    calls that method whenever `must_send_again`; without, nothing is remembered.
    """

    transactional = True
    max_batch = MAX_BATCH

    def __init__(
        self,
        *,
        hold_s: float = HOLD_S,
        settle_s: float = SETTLE_S,
        sends_again: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_held = False
        self.sent = SentLately(clock=clock)
        self._hold_s = hold_s
        self._settle_s = settle_s
        self._sends_again = sends_again
        self._clock = clock
        self._hold_until: float | None = None
        self._expects_listener = True
        self._listeners: frozenset[str] = frozenset()
        self._are_new = False
        self._seen_at = float("-inf")
        self._same_until = float("-inf")
        self._settled_at = float("-inf")

    @property
    def must_send_again(self) -> bool:
        """Whether other slots are there than when the last broadcasts were sent: as of the last look."""
        return self._are_new and self.sent.count > 0 and self._clock() >= self._settled_at

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None) -> None:
        """Write all of `broadcasts` through `connection`, or raise and leave nothing written."""
        if connection is None:
            raise SinkUnavailable("The database transport works only inside the relay's transaction.")
        is_there = await self.look(connection)
        in_order = [broadcast for broadcast in broadcasts if not broadcast.is_hint]
        if in_order and self.must_send_again:
            raise SinkNotReady(AGAIN, AGAIN_POLL_S)
        self._hold(is_there=is_there)
        if (wait_s := self._settled_at - self._clock()) > 0:
            raise SinkNotReady(BACK, min(wait_s, HOLD_POLL_S))
        await _write(connection, broadcasts)
        if self._sends_again:
            self.sent.note(in_order)

    def heard_until(self, at: float) -> None:
        """Forget what was sent before something that has come out: as far as the slot was the same all the time."""
        if not self._are_new:
            self.sent.heard_until(min(at, self._same_until))

    async def look(self, connection: AsyncConnection[Any]) -> bool:
        """Look who reads the rows now; return whether anybody does.

        Each slot is known by its name and its reader: who connects anew has missed what was written before.
        """
        row = await (await connection.execute(_QUERIES["find_listeners"])).fetchone()
        found = frozenset(row[0] if row else ())
        now = self._clock()
        if found and not found & self._listeners:
            if now - self._seen_at < ASLEEP_AFTER_S:
                self._settled_at = now + self._settle_s
            self._are_new = True
            self._listeners = found
        elif found:
            self._listeners &= found
            self._same_until = now
        if found:
            self._seen_at = now
        if self._are_new and not self.sent.count:
            self._are_new = False
        return bool(found)

    async def send_again(self, connection: AsyncConnection[Any]) -> int:
        """Write again, in a transaction of its own, what perhaps nobody heard; return how much that was."""
        unheard = self.sent.take()
        try:
            async with connection.transaction():
                for start in range(0, len(unheard), MAX_BATCH):
                    await send_all_but_refused(partial(_write, connection), unheard[start : start + MAX_BATCH])
        except BaseException:
            self.sent.note(unheard)
            raise
        self._are_new = False
        self.sent.note(unheard)
        return len(unheard)

    async def close(self) -> None:
        """Nothing to close: the connection is the relay's."""

    def _hold(self, *, is_there: bool) -> None:
        """Raise SinkNotReady while Realtime, lately connected, is away or silent; for so long at most.

        After that nobody is listening (Realtime disconnects from an idle project), and holding back serves no one.
        """
        if is_there and not self.is_held:
            self._expects_listener, self._hold_until = True, None
            return
        if not self._expects_listener:
            return
        now = self._clock()
        self._hold_until = self._hold_until or now + self._hold_s
        if now < self._hold_until:
            raise SinkNotReady(SILENT if is_there else AWAY, HOLD_POLL_S)
        self._expects_listener, self._hold_until = False, None


async def _write(connection: AsyncConnection[Any], broadcasts: Sequence[Broadcast]) -> None:
    """Raises EventRefused or SinkUnavailable, and leaves nothing written."""
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
