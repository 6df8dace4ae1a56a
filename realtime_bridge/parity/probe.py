"""The delivery probe: sends through the database and looks whether it comes out of Supabase. Started by `__main__`.

A row of `realtime.messages` promises nothing: with Realtime away or its slot stuck it is written, and nobody hears
of it. The probe has a channel of its own in which the bridge sits; it is never stored in the log.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import psycopg
import structlog
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from realtime_bridge import metrics, sql
from realtime_bridge.parity.ears import Seated
from realtime_bridge.relay import Pool

log = structlog.get_logger(__name__)
_QUERIES = sql.load(__file__)

INTERVAL_S = 0.5
SILENT_AFTER_S = 3.0  # six probes; with the interval, the look and the send a silent path is known within 5 s
HEALTHY_AFTER_S = 10.0  # of unbroken answers: going back and forth would cost more than staying
EVENT = "probe"


class Probe:
    """`is_silent` says that the database path delivers nothing though the bridge sits in the channel."""

    def __init__(
        self,
        *,
        pool: Pool,
        seats: Seated,
        name: str,
        on_silent: Callable[[float], None],
        on_healthy: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_silent = False
        self._pool = pool
        self._seats = seats
        self._topic = f"crossfade:probe:{name}"
        self._on_silent = on_silent
        self._on_healthy = on_healthy
        self._clock = clock
        self._waiting: dict[str, float] = {}
        self._last_seen_sent_at = clock()
        self._healthy_since: float | None = None

    async def run(self) -> None:
        """Probe until cancelled."""
        self._seats.take(self._topic, self._receive)
        while True:
            await self.run_once()
            await asyncio.sleep(INTERVAL_S)

    async def run_once(self) -> int:
        """Look at the answers and send the next probe; return how many are on their way."""
        now = self._clock()
        if not self._seats.is_joined(self._topic):
            self._waiting.clear()  # nobody listens: nothing is known of the path
            self._healthy_since = None
            return 0
        self._judge(now)
        name = uuid4().hex
        try:
            async with self._pool.connection() as connection:
                self._waiting[name] = self._clock()
                values = {"payload": Jsonb({"probe": name}), "event": EVENT, "topic": self._topic}
                await connection.execute(_QUERIES["send"], values)
        except (psycopg.Error, PoolTimeout, OSError) as error:
            self._waiting.clear()  # the database is away, which says nothing of the path behind it
            log.info("probe not sent", error=str(error).strip())
        return len(self._waiting)

    def _judge(self, now: float) -> None:
        oldest = min(self._waiting.values(), default=now)
        if not self.is_silent and now - oldest > SILENT_AFTER_S:
            self.is_silent = True
            self._healthy_since = None
            metrics.SUPABASE_SILENT.set(1)
            log.warning("Supabase is silent: probes through the database are not delivered")
            self._on_silent(self._last_seen_sent_at)
        if self.is_silent and self._healthy_since is not None and now - self._healthy_since > HEALTHY_AFTER_S:
            self.is_silent = False
            metrics.SUPABASE_SILENT.set(0)
            log.info("Supabase delivers what the database sends again")
            self._on_healthy()

    def _receive(self, _event: str, payload: Mapping[str, Any]) -> None:
        sent_at = self._waiting.pop(str(payload.get("probe")), None)
        if sent_at is None:
            return
        metrics.PROBE_LATENCY.labels("database").observe(max(0.0, self._clock() - sent_at))
        lost = [name for name, at in self._waiting.items() if at < sent_at]  # the path keeps order: they never come
        for name in lost:
            del self._waiting[name]
        if lost or self._healthy_since is None:
            self._healthy_since = self._clock()
        self._last_seen_sent_at = max(self._last_seen_sent_at, sent_at)
