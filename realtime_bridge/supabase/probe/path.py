"""Probe of one path to Supabase: what is posted must come out. At the bridge's own seat. Used by the watch.

Nobody waits for one probe before the next is sent, so an outage is known however Supabase fails: it refuses, hangs, or
accepts and drops. What is heard late ends a run of failures: a slow side is not down, and the gate measures latency.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from realtime_bridge import metrics
from realtime_bridge.relay.sink import SinkError, SinkNotReady, SinkOverRate
from realtime_bridge.shared import sql
from realtime_bridge.shared.database import Pool
from realtime_bridge.supabase.transport import Broadcast

_QUERIES = sql.AsyncQueries(__file__)
EVENT = "probe"
HEARD_WITHIN_S = 1.5  # three times the p95 that a gate allows
DOUBT_AFTER_S = 0.3  # far above the usual few milliseconds: look closer, and conclude nothing yet
GIVEN_UP_S = 4.0  # twice the transport's time-out: nothing more becomes of it
OVERTAKEN_S = 1.0  # two that are sent within it may change places; of others, what came later was heard first: lost
LATE_S = 30.0  # how long what has failed may still come, and end the run
MAX_POSTS = 10  # at once: six that hang are an outage already
SILENT = f"nothing arrived within {HEARD_WITHIN_S} s"
Send = Callable[[str], Awaitable[None]]
"""Sends a probe of that name; raises SinkUnavailable when it cannot, SinkNotReady when that says nothing."""


class PathProbe:
    """`failures` is the length of the run of probes that failed, `reason` why the last did."""

    def __init__(self, path: str, send: Send, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.failures = 0
        self.reason = ""
        self.heard_until = clock()
        """When the latest probe was sent that has been heard, with all before it."""
        self.has_lost = False
        """Whether a probe was not heard that was taken before one that was; the reader takes the flag away."""
        self.taken_at = float("-inf")
        """When a probe was last taken."""
        self.well_since: float | None = None
        self.blind_at = float("-inf")
        """When a probe last could not be sent for a reason that says nothing of Supabase: the database was away."""
        self._path = path
        self._send = send
        self._clock = clock
        self._sent_at = float("-inf")
        self._waiting: dict[str, float] = {}
        self._late: dict[str, float] = {}
        self._posts = set[asyncio.Task[None]]()
        self._hanging = set[str]()

    @property
    def is_doubtful(self) -> bool:
        """Whether the last probes failed, or one has been under way for longer than usual."""
        oldest = min(self._waiting.values(), default=self._clock())
        return self.failures > 0 or self._clock() - oldest > DOUBT_AFTER_S

    @property
    def under_way(self) -> int:
        return len(self._waiting)

    def judge(self, now: float, listening_since: float) -> None:
        """Count what was not heard in time; what was sent while nobody listened says nothing."""
        for name, at in list(self._waiting.items()):
            if now - at > HEARD_WITHIN_S and at >= listening_since:
                self._fail(name, SILENT)
            elif now - at > GIVEN_UP_S:
                del self._waiting[name]

    def probe(self, now: float, interval_s: float) -> bool:
        """Send one if it is time; return whether it was."""
        if now - self._sent_at < interval_s or len(self._posts) >= MAX_POSTS:
            return False
        self._sent_at = now
        name = uuid4().hex
        self._waiting[name] = now
        self._hanging.add(name)
        task = asyncio.create_task(self._post(name))
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)
        return True

    def hear(self, name: str) -> None:
        """Note that a probe came out, if it is one of this path's."""
        is_late = name not in self._waiting
        sent_at = self._late.pop(name, None) if is_late else self._waiting.pop(name)
        if sent_at is None:
            return
        metrics.PROBE_LATENCY.labels(self._path).observe(max(0.0, self._clock() - sent_at))
        if not is_late and self.well_since is None:
            self.well_since = self._clock()
        self.failures = 0
        others = (self._waiting | self._late).items()
        before = [at for other, at in others if at < sent_at and other not in self._hanging]
        if any(sent_at - at > OVERTAKEN_S for at in before):
            self.has_lost = True
            self._late.clear()
            self._waiting = {other: at for other, at in self._waiting.items() if at >= sent_at}
        elif not before:
            self.heard_until = max(self.heard_until, sent_at)

    def forget(self) -> None:
        """Know nothing: this path is not looked at now."""
        self._waiting.clear()
        self._late.clear()
        self.failures = 0
        self.well_since = None

    def stop(self) -> None:
        for task in self._posts:
            task.cancel()

    async def _post(self, name: str) -> None:
        try:
            await self._send(name)
            self._hanging.discard(name)
            self.taken_at = self._clock()
        except SinkError as reason:
            if isinstance(reason, SinkNotReady) and not isinstance(reason, SinkOverRate):
                self._waiting.pop(name, None)
                self.blind_at = self._clock()
                return
            self._fail(name, str(reason))
            self._late.pop(name, None)

    def _fail(self, name: str, reason: str) -> None:
        """Count it, once: what was not heard in time and is then refused is one failure."""
        sent_at = self._waiting.pop(name, None)
        if sent_at is not None:
            self._late = {other: at for other, at in self._late.items() if sent_at - at < LATE_S} | {name: sent_at}
            self.failures += 1
            self.reason = reason
            self.well_since = None


def through_database(pool: Pool, topic: str) -> Send:
    """Write a row as the transport does; a database that is away says nothing of what is behind it."""

    async def send(name: str) -> None:
        values = {"payload": Jsonb({"probe": name}), "event": EVENT, "topic": topic}
        try:
            async with pool.connection() as connection:
                await _QUERIES.run(connection, "send", **values)
        except (psycopg.Error, PoolTimeout, OSError) as error:
            raise SinkNotReady(f"The database is away: {error}".strip()) from error

    return send


def over_http(post: Callable[[Sequence[Broadcast]], Awaitable[None]], topic: str) -> Send:
    """`post` sends at once, whatever else waits to be sent: a probe that queues measures the queue."""

    async def send(name: str) -> None:
        await post([Broadcast(topic=topic, event=EVENT, payload={"probe": name}, id=uuid4())])

    return send
