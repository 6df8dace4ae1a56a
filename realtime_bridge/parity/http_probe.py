"""The probe of the HTTP path: posts to a channel in which the bridge sits, and counts what is not heard there.

An answer of 202 promises nothing, and a provider that hangs answers nothing. So it asks what a user would ask: does
what is sent now arrive? It does not wait for one probe before it sends the next: an outage is known in two to four
seconds, however Supabase fails, and long before the relay has run into its time-outs. Started by `__main__`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import structlog

from realtime_bridge import metrics
from realtime_bridge.parity.ears import Seated
from realtime_bridge.sinks.base import SinkError, SinkNotReady
from realtime_bridge.transports.base import Broadcast

log = structlog.get_logger(__name__)

INTERVAL_S = 0.3  # six in a row are an outage for the gate, and what is over in less than 1.5 s never is
CALM_INTERVAL_S = 3.0  # where nothing turns back: each probe is a message that somebody pays for
HEARD_WITHIN_S = 1.5  # three times the p95 that a gate allows
AWAY_S = 1.0  # a look that is so late says that this process was away, and not Supabase
GIVEN_UP_S = 4.0  # twice the transport's time-out: nothing more becomes of it
MAX_POSTS = 10  # at once: the transport's time-out leaves seven under way, and six that hang are an outage already
EVENT = "probe"
SILENT = f"nothing arrived within {HEARD_WITHIN_S} s"
Send = Callable[[Sequence[Broadcast]], Awaitable[None]]


class HttpProbe:
    """`is_wanted`: this bridge delivers over HTTP now. `is_urgent`: the gate waits to hear of an outage.

    `send` posts at once, whatever else waits to be sent: a probe that queues measures the queue.
    `tell` gets the length of the run of failed probes whenever it changes, with the reason of the last one. What is
    heard late ends a run, too: a slow side is not down, and the gate measures latency.
    """

    def __init__(
        self,
        *,
        send: Send,
        seats: Seated,
        name: str,
        is_wanted: Callable[[], bool],
        is_urgent: Callable[[], bool],
        tell: Callable[[int, str], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send_now = send
        self._seats = seats
        self._topic = f"crossfade:probe:http:{name}"
        self._is_wanted = is_wanted
        self._is_urgent = is_urgent
        self._tell = tell
        self._clock = clock
        self._waiting: dict[str, float] = {}
        self._failures = 0
        self._told = 0
        self._reason = ""
        self._looked_at = float("-inf")
        self._listening_since = float("-inf")
        self._sending = set[asyncio.Task[None]]()

    async def run(self) -> None:
        """Probe until cancelled."""
        self._seats.take(self._topic, self._receive)
        try:
            while True:
                await self.run_once()
                await asyncio.sleep(self._interval_s)
        finally:
            for task in self._sending:
                task.cancel()

    async def run_once(self) -> int:
        """Look at what became of the probes, send the next one; return how many are on their way."""
        now = self._clock()
        if now - self._looked_at > self._interval_s + AWAY_S or not self._seats.is_joined(self._topic):
            self._listening_since = now  # nobody listened before, so silence says nothing
        self._looked_at = now
        if self._is_wanted():
            self._judge(now)
            if len(self._sending) < MAX_POSTS:
                self._send(now)
        else:
            self._waiting.clear()
            self._failures = 0
        if self._failures != self._told:
            self._told = self._failures
            await self._tell(self._failures, self._reason)
        return len(self._waiting)

    @property
    def _interval_s(self) -> float:
        return INTERVAL_S if self._is_urgent() else CALM_INTERVAL_S

    def _judge(self, now: float) -> None:
        for name, at in list(self._waiting.items()):
            if now - at > HEARD_WITHIN_S and at >= self._listening_since:
                self._fail(name, SILENT)
            elif now - at > GIVEN_UP_S:
                del self._waiting[name]

    def _send(self, now: float) -> None:
        name = uuid4().hex
        self._waiting[name] = now
        task = asyncio.create_task(self._post(name))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _post(self, name: str) -> None:
        broadcast = Broadcast(topic=self._topic, event=EVENT, payload={"probe": name}, id=uuid4())
        try:
            await self._send_now([broadcast])
        except SinkNotReady:
            self._waiting.pop(name, None)
        except SinkError as reason:
            self._fail(name, str(reason))

    def _fail(self, name: str, reason: str) -> None:
        """Count it, once: what was not heard in time and is then refused is one failure."""
        if self._waiting.pop(name, None) is not None:
            self._failures += 1
            self._reason = reason

    def _receive(self, _event: str, payload: Mapping[str, Any]) -> None:
        sent_at = self._waiting.pop(str(payload.get("probe")), None)
        self._failures = 0
        if sent_at is not None:
            metrics.PROBE_LATENCY.labels("http").observe(max(0.0, self._clock() - sent_at))
