"""The dial as a process knows it. Read anew on every NOTIFY and at least every POLL_S, kept while Postgres is away.

The bridge runs one as a task; gateway workers and the OpenFeature provider run it in a DialThread.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection

from realtime_bridge.rollout.dial import metrics, store
from realtime_bridge.rollout.dial.decision import Reading
from realtime_bridge.rollout.dial.errors import RolloutError
from realtime_bridge.rollout.dial.stages import FLAG
from realtime_bridge.shared.database import bounded

log = structlog.get_logger(__name__)

CHANNEL = "rollout"  # the trigger on rollout_stages notifies it
POLL_S = 0.4  # the truth; NOTIFY only makes it faster, and may be missing behind a pooler. Two fit into the second
RETRY_S = 0.5
ANSWER_S = 2.0  # a database that takes longer for one row is away
JOIN_S = 3.0  # who leaves waits no longer for this thread


class Dial:
    """`reading` is the newest known; None until the first. Listeners are called after each change of it."""

    flag = FLAG

    def __init__(self, database_url: str) -> None:
        self.reading: Reading | None = None
        self._url = bounded(database_url, "dial")
        self._read_at = float("-inf")
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after every change, in the thread that runs the dial."""
        self._listeners.append(listener)

    @property
    def age_s(self) -> float:
        """How long ago the database last confirmed the reading."""
        return time.monotonic() - self._read_at

    async def run(self) -> None:
        """Keep reading until cancelled; survives every failure of the database."""
        while True:
            try:
                await self._follow()
            except (psycopg.Error, RolloutError, TimeoutError) as error:
                known = self.reading.stage.label if self.reading else None
                log.warning("dial not read, the last known stage serves", stage=known, error=str(error).strip())
            await asyncio.sleep(RETRY_S)

    async def run_once(self, connection: AsyncConnection[Any]) -> bool:
        """Read once; return whether anything changed."""
        read_at = time.monotonic()
        async with asyncio.timeout(ANSWER_S):
            reading = await store.get_reading(connection, self.flag, self.reading)
        self._read_at = read_at
        if reading is self.reading:
            return False
        before, self.reading = self.reading, reading
        metrics.show(reading)
        if before is None or before.version != reading.version:
            log.info("dial read", flag=self.flag, stage=reading.stage.label, version=reading.version)
        for listener in self._listeners:
            listener()
        return True

    async def _follow(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            await connection.execute(psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(CHANNEL)))
            while True:
                await self.run_once(connection)
                async for _ in connection.notifies(timeout=POLL_S, stop_after=1):
                    pass


class DialThread:
    """Runs a dial in a thread of its own between `start` and `stop`; `dial.reading` may be read from any thread."""

    def __init__(self, dial: Dial) -> None:
        self.dial = dial
        self._known = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="dial", daemon=True)
        dial.listen(self._known.set)

    def start(self) -> None:
        self._thread.start()

    def wait_until_known(self, timeout_s: float) -> bool:
        """Return whether the dial was read at least once within `timeout_s`."""
        return self._known.wait(timeout_s)

    def stop(self) -> None:
        """End the thread; waits at most JOIN_S."""
        if self._loop is not None and self._task is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread.is_alive():
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._follow())

    async def _follow(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self.dial.run())
        await self._task
