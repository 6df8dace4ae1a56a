"""Door for connections: how many, and how long for unproven ones.

uvicorn has no deadline for the head of a first request, and what it can limit (`limit_concurrency`) refuses the next
caller, a probe too. Here a connection is a stranger until a valid token came over it; strangers have one deadline for
all that they must say, and the longest silent of them makes room for whoever comes.
"""

import asyncio
import resource
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from realtime_bridge import metrics

log = structlog.get_logger(__name__)

PATIENCE_S = 30.0  # for a head, a handshake and a token: the handshake's own 20 s, and a bad line
SWEEP_S = 1.0
CALM_S = 60.0  # without anybody sent away: what comes then is told of again
MOST = 20_000  # connections; one process has no processor for more sockets, whatever descriptors it may have
OURS = 275  # descriptors of our own: WUZAPI, Postgres, Redis, files; and who is on the way out
KNOWN_AT_MOST = 15 / 16  # of the places: probes, and whoever comes to say who they are, find the rest
GUEST = "guest"
STALL_TIMEOUT_S = 10.0  # the kernel's and our write buffers are full all this time; half of a ping's patience


def places(calls: int) -> int:
    """Return how many connections this process can have, after asking for all the descriptors that it may get.

    `calls` goes to those that it makes itself.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    descriptors = 2 * MOST if hard == resource.RLIM_INFINITY else hard
    return min(MOST, descriptors - min(OURS + calls, descriptors // 2))


class Door:
    """Strangers stand in the order in which they said something whole last. `run` ends who is over the deadline."""

    def __init__(self, places: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._places = places
        self._clock = clock
        self._strangers: dict[Guest, float] = {}
        self._known: set[Guest] = set()
        self._calm_from = float("-inf")

    async def run(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.run_once()

    def run_once(self) -> int:
        """End the strangers that are overdue; return how many."""
        ended = 0
        while self._strangers and next(iter(self._strangers.values())) <= self._clock() - PATIENCE_S:
            self._end_first("silent")
            ended += 1
        return ended

    def enter(self, guest: "Guest") -> None:
        self._strangers[guest] = self._clock()
        if len(self._strangers) + len(self._known) <= self._places:
            return
        if self._clock() >= self._calm_from:
            log.warning("silent connections make room for others", places=self._places, known=len(self._known))
        self._calm_from = self._clock() + CALM_S
        self._end_first("full")

    def leave(self, guest: "Guest") -> None:
        self._strangers.pop(guest, None)
        self._known.discard(guest)

    def answered(self, guest: "Guest") -> None:
        """Begin its time anew; over HTTP each request proves itself."""
        if guest in self._strangers or guest in self._known:
            self.leave(guest)
            self._strangers[guest] = self._clock()

    def prove(self, guest: "Guest") -> bool:
        """Take it for known; False when there are too many known ones."""
        if guest in self._strangers:
            if len(self._known) >= self._places * KNOWN_AT_MOST:
                return False
            del self._strangers[guest]
            self._known.add(guest)
        return True

    def _end_first(self, reason: str) -> None:
        guest = next(iter(self._strangers))
        del self._strangers[guest]
        metrics.SENT_AWAY.labels(reason).inc()
        guest.transport.abort()


def prove(scope: MutableMapping[str, Any]) -> bool:
    """Say that the connection of this request, or websocket, is somebody's; False when there are too many of those."""
    guest: Guest | None = scope.get("state", {}).get(GUEST)
    return guest is None or guest.door.prove(guest)


class Guest(H11Protocol):
    """A connection, also after it has become a websocket: that one knows it by its `app_state`."""

    def __init__(self, *, door: Door, app_state: dict[str, Any], **options: Any) -> None:
        super().__init__(app_state=app_state | {GUEST: self}, **options)
        self.door = door

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.door.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.door.leave(self)
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self.door.answered(self)
        super().on_response_complete()


class StallGuard(WebSocketsSansIOProtocol):
    """Aborts the connection when nothing could be written for `stall_timeout_s`."""

    stall_timeout_s = STALL_TIMEOUT_S
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Have a frame count as sent when the system has taken it: what is left in this process dies with it."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self._stalled or self.loop.call_later(self.stall_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _forget(self) -> None:
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None


class Websocket(StallGuard):
    def connection_lost(self, exc: Exception | None) -> None:
        guest: Guest = self.app_state[GUEST]
        guest.door.leave(guest)
        super().connection_lost(exc)
