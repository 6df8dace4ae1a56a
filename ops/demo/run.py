"""Demo: two clients side by side, arrivals matched by `eventId`. Messages are sent over REST."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

import aiohttp

from ops.demo.sides import SocketIoSide, SupabaseSide, opened
from ops.demo.tracker import SideName, Tracker
from ops.demo.view import LineView
from ops.embedded.ready import Ready
from ops.errors import OpsError

SEND_TIMEOUT_S = 10.0
ARRIVAL_TIMEOUT_S = 10.0  # after the last send; a healthy stack needs milliseconds, a restarting one seconds
PAUSE_S = 0.05  # between two sends, so that the table can be followed


@dataclass(eq=False, repr=False)
class Demo:
    """One run; `tracker` and `view` are the caller's, so that a test can look into them."""

    ready: Ready
    tracker: Tracker
    view: LineView
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _in_flight: bool = False
    _held: list[tuple[SideName, Mapping[str, Any], float]] = field(default_factory=list)

    async def run(self, *, count: int, watch: bool) -> signal.Signals | None:
        """Send `count` messages and wait for them on both sides; with `watch` stay until a signal, and return it.

        Raises OpsError when a side refuses the client or misses a message.
        """
        legacy = SocketIoSide(self.ready, self._receive, self.view.show_closed)
        async with opened(SupabaseSide(self.ready, self._receive)), opened(legacy):
            with self.view:
                await self._send(count)
                await self._wait_for_arrivals()
                if watch:
                    self.view.show_watching(self.ready.conversation_id)
                    return await _stop_signal()
        return None

    def _receive(self, side: SideName, payload: Mapping[str, Any]) -> None:
        """A message often arrives before the answer to its own POST: until then it is held, with its time."""
        self._held.append((side, payload, time.time()))
        if not self._in_flight:
            self._let_in()

    def _let_in(self) -> None:
        for side, payload, now in self._held:
            self._note(side, payload, now)
        self._held.clear()

    def _note(self, side: SideName, payload: Mapping[str, Any], now: float) -> None:
        arrival = self.tracker.note_arrival(
            side,
            event_id=str(payload["eventId"]),
            seq=int(payload["seq"]),
            content=str(payload["content"]),
            created_at=datetime.fromisoformat(payload["createdAt"]).timestamp(),
            now=now,
        )
        self.view.show(arrival)
        self._changed.set()

    async def _send(self, count: int) -> None:
        url = f"{self.ready.gateway_url}/api/v1/chat/conversations/{self.ready.conversation_id}/messages"
        timeout = aiohttp.ClientTimeout(total=SEND_TIMEOUT_S)
        async with aiohttp.ClientSession(headers={"X-API-Key": self.ready.api_key}, timeout=timeout) as session:
            for number in range(1, count + 1):
                self._in_flight, at = True, time.time()
                message = await _post(session, url, f"Demo message {number}")
                self.tracker.note_sent(message["eventId"], message["seq"], at)
                self._in_flight = False
                self._let_in()
                await asyncio.sleep(PAUSE_S)

    async def _wait_for_arrivals(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ARRIVAL_TIMEOUT_S):
                while not self.tracker.is_complete():
                    self._changed.clear()
                    await self._changed.wait()


async def _post(session: aiohttp.ClientSession, url: str, content: str) -> dict[str, Any]:
    """Return the created message; raises OpsError with the gateway's own words."""
    try:
        async with session.post(url, json={"content": content}) as answer:
            body = await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise OpsError(f"The gateway did not answer: {error!r}") from error
    if answer.status != HTTPStatus.CREATED:
        raise OpsError(f"The gateway refused the message ({answer.status}): {body.get('detail')}")
    message: dict[str, Any] = body["data"]
    return message


async def _stop_signal() -> signal.Signals:
    received: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, received.put_nowait, number)
    return await received.get()
