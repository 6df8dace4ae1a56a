"""Mark of how far in the log this bridge's sockets have heard. Noted for when it dies, and where a gap is filled from.

A position is proven: the sink's cursor moves behind what was published, so once this bridge has sent on all that was
published when the cursor stood there, and the system has taken it, its sockets have heard the log up to there.
"""

import asyncio
from collections.abc import Sequence

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from realtime_bridge.event_log.cursor import Cursor
from realtime_bridge.event_log.reading import read_page
from realtime_bridge.legacy.cards import find_cards, is_listed
from realtime_bridge.legacy.fanout.local import Fanout
from realtime_bridge.legacy.frame import Emit
from realtime_bridge.legacy.socketio.catch_up import readable
from realtime_bridge.legacy.socketio.engine import BoundedEngine
from realtime_bridge.legacy.socketio.rooms import Rooms
from realtime_bridge.shared import sql
from realtime_bridge.shared.database import Pool

log = structlog.get_logger(__name__)

NOTE_S = 1.0  # so much is told once more to whoever comes from a bridge that died
FLUSH_S = 5.0  # a socket that is slower than that may miss, when its bridge dies, what it was behind
FILL_EVENTS = 2_000  # a page of 2 MB at most; whoever misses more gets `resync`
FAILED = (psycopg.Error, PoolTimeout, TimeoutError, OSError)
_QUERIES = sql.AsyncQueries(__file__)


class Heard:
    """Notes the position each NOTE_S, while it moves. `bridge` is the name under which the bridge reports."""

    def __init__(self, pool: Pool, bridge: str, rooms: Rooms) -> None:
        self._pool = pool
        self._bridge = bridge
        self._rooms = rooms
        self._log_id: int | None = None

    async def run(self, fanout: Fanout, engine: BoundedEngine) -> None:
        """Note until cancelled; survives every failure of the database."""
        while True:
            try:
                await self.run_once(fanout, engine)
            except FAILED as error:
                log.info("not noted how far the legacy sockets are", error=f"{type(error).__name__}: {error}".strip())
            await asyncio.sleep(NOTE_S)

    async def run_once(self, fanout: Fanout, engine: BoundedEngine) -> None:
        async with self._pool.connection() as connection:
            told: int | None = await _QUERIES.find_value(connection, "find_told")
        if told is not None and told != self._log_id and await fanout.catch_up():
            await engine.flush(FLUSH_S)
            async with self._pool.connection() as connection:
                await _QUERIES.run(connection, "note_heard", bridge=self._bridge, heard=told)
            self._log_id = told

    async def fill(self) -> bool:
        """Tell this bridge's sockets what the log has since; False when it cannot be said what, or it is too much."""
        if self._log_id is None:
            return False
        try:
            emits = await self._read_after(self._log_id)
            for emit in emits or ():
                await self._rooms.deliver(emit)
        except Exception:  # whatever it breaks on: the stream is read on, and the sockets are told to fetch
            log.exception("the legacy sockets cannot be told from the log what they missed")
            return False
        return emits is not None

    async def _read_after(self, log_id: int) -> Sequence[Emit] | None:
        """Return the frames of what comes after `log_id`; None when it is too much."""
        async with self._pool.connection() as connection:
            page = await read_page(connection, Cursor(high_water=log_id), FILL_EVENTS)
            if page.first_left is not None:
                return None
            cards = await find_cards(connection, [e.conversation_id for e in page.events if is_listed(e)])
        return [emit for event in page.events for emit in readable(event, cards.get(event.conversation_id))]
