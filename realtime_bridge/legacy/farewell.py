"""Farewell to sockets that are fed no more. They are told, and closed after a grace time. Run by `__main__`.

A socket that is open and silent is the worst of all: its user misses everything and nobody notices. So each is told
`rollout.changed`, as after any change; a client that knows it asks for a session and goes. What is still here when its
time is over hears why and how to return (`rollout.closed`), and is closed as by a cut line: its client tries again, is
told again, and is here when legacy is fed again.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from realtime_bridge.legacy.socketio.server import LegacyServer
from realtime_bridge.shared.canary_user import CANARY_ID

log = structlog.get_logger(__name__)

POLL_S = 0.5
CHANGED, CLOSED = "rollout.changed", "rollout.closed"
REASON = {
    "code": "moved_to_supabase",
    "message": "This chat has moved, and nothing new is sent here. Ask for a session again (POST "
    "/api/v1/chat/realtime/sessions, by your backend) and open what it names; else reload the page, or update the app.",
}


class Farewell:
    """`find_notice` returns what sockets are told once they are fed no more; None as long as they are."""

    def __init__(
        self,
        server: LegacyServer,
        find_notice: Callable[[], Mapping[str, Any] | None],
        grace_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._find_notice = find_notice
        self._grace_s = grace_s
        self._clock = clock
        self._told: dict[str, float] = {}

    async def run(self) -> None:
        while True:
            await self.run_once()
            await asyncio.sleep(POLL_S)

    async def run_once(self) -> int:
        """Tell who was not told yet, close whose time is over; return how many were closed."""
        notice = self._find_notice()
        sessions = [session for session in self._server.sessions.all() if session.claims.user_id != CANARY_ID]
        here = {session.sid for session in sessions} if notice is not None else set()
        self._told = {sid: at for sid, at in self._told.items() if sid in here}
        if notice is None:
            return 0
        closed = 0
        for session in sessions:
            told_at = self._told.get(session.sid)
            if told_at is None:
                self._told[session.sid] = self._clock()
                await self._server.tell(session, CHANGED, dict(notice))
            elif self._clock() - told_at >= self._grace_s:
                await self._server.tell(session, CLOSED, REASON)
                await self._server.engine.drop(session.engine_sid)
                closed += 1
        if closed:
            log.info("legacy sockets closed: the dial feeds them no more", count=closed)
        return closed
