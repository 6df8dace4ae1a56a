"""The Socket.IO server that old clients connect to, hosted by the bridge. Wired by `realtime_bridge/__main__.py`.

In: `subscribe:conversation`, `unsubscribe:conversation`, `message`, `read`, `typing`, `token`. Out: `message`,
`messageStatus`, `typing`, `presence` to a conversation's room, `conversation` to each participant. Whoever sends
anything else gets an `error` event or is closed; nobody else notices. The token is checked where access is given: on
connect, on every subscription and on every write; and a socket ends with it (endings.py), unless a newer one is sent.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import socketio
from engineio.payload import Payload
from starlette.types import ASGIApp, Receive, Scope, Send

from realtime_bridge.legacy.conversations import StoredConversations
from realtime_bridge.legacy.dialect import Dialect
from realtime_bridge.legacy.endings import RESYNC, Endings
from realtime_bridge.legacy.fanout.local import Fanout
from realtime_bridge.legacy.fanout.stream import RedisFanout
from realtime_bridge.legacy.frame import Emit
from realtime_bridge.legacy.incoming import StoredIncoming
from realtime_bridge.legacy.message_limit import MessageLimit
from realtime_bridge.legacy.sessions import MAX_SOCKETS_PER_USER, Session, Sessions, Watcher
from realtime_bridge.legacy.socketio.asgi_guard import Gate
from realtime_bridge.legacy.socketio.dialect import SocketIo
from realtime_bridge.legacy.socketio.engine import MAX_QUEUED_PACKETS, BoundedEngine
from realtime_bridge.legacy.socketio.handlers import Handlers
from realtime_bridge.legacy.socketio.heard import Heard
from realtime_bridge.legacy.socketio.packets import MAX_FRAME_BYTES, MAX_PACKETS
from realtime_bridge.legacy.socketio.protocol_guard import CONNECT_TIMEOUT_S, GuardedSocketServer
from realtime_bridge.legacy.socketio.rooms import NAMESPACE, Rooms
from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.tokens import TokenVerifier

PING_INTERVAL_S = 25  # the library's and the old clients' defaults
PING_TIMEOUT_S = 20
STOP_TIMEOUT_S = 2.0  # clients that do not take the goodbye by then notice by themselves
STOP_POLL_S = 0.02
LIBRARY_LOGGER = "realtime_bridge.legacy.socketio"


class LegacyServer:
    """The running side: `start`, `stop`, `publish` for the sink, and `around` to put the sockets beside another app."""

    def __init__(
        self,
        pool: Pool,
        name: str,
        *,
        verifier: TokenVerifier,
        redis_url: str | None = None,
        cors_origins: Sequence[str] = (),
        dialects: Sequence[Dialect] = (SocketIo(),),
        ping_interval_s: int = PING_INTERVAL_S,
        ping_timeout_s: int = PING_TIMEOUT_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        max_sockets_per_user: int = MAX_SOCKETS_PER_USER,
        max_queued_packets: int = MAX_QUEUED_PACKETS,
    ) -> None:
        """Without `redis_url` this bridge must be the only one. `name` is that under which the bridge reports.

        `cors_origins` are those of pages elsewhere.
        """
        Payload.max_decode_packets = MAX_PACKETS  # the library's way; 16 loses a reconnecting client's requests
        logger = logging.getLogger(LIBRARY_LOGGER)
        logger.setLevel(logging.ERROR)  # the library warns about what any stranger can provoke
        self._rooms = Rooms(dialects)
        sio = GuardedSocketServer(
            client_manager=self._rooms,
            async_mode="asgi",
            async_handlers=False,  # a socket's frames are handled one after another: a flood holds up its sender only
            origins=cors_origins,
            max_http_buffer_size=MAX_FRAME_BYTES,
            max_queued=max_queued_packets,
            ping_interval=ping_interval_s,
            ping_timeout=ping_timeout_s,
            logger=logger,
            engineio_logger=logger,
        )
        sio.connect_timeout_s = connect_timeout_s
        self.engine: BoundedEngine = sio.eio
        self.engine.last_word = lambda engine_sid: self._rooms.encode(RESYNC.emit(), self._sid(engine_sid))
        self.sessions = Sessions(per_user=max_sockets_per_user)
        self._heard = Heard(pool, name, self._rooms)
        self._fanout = RedisFanout(self._rooms, redis_url, self._fill_gap) if redis_url else Fanout(self._rooms)
        self.publish = self._fanout.publish
        """Send stored events' frames to everybody they concern, on every bridge. Raises FanoutUnavailable."""
        self._limit = MessageLimit(redis_url)
        self._endings = Endings(self.sessions, pool)
        self._handlers = Handlers(
            sio=sio,
            rooms=self._rooms,
            sessions=self.sessions,
            fanout=self._fanout,
            verifier=verifier,
            conversations=StoredConversations(pool, name),
            incoming=StoredIncoming(pool),
            limit=self._limit,
            endings=self._endings,
        )
        self._stopping = False
        self.path = dialects[0].path
        self._apps = {one.path: self._gate(socketio.ASGIApp(sio, socketio_path=one.path)) for one in dialects}

    @property
    def is_ready(self) -> bool:
        """Whether sockets are accepted: what is published from now on will reach them."""
        return self._fanout.is_ready and not self._stopping

    @property
    def socket_count(self) -> int:
        return len(self.sessions)

    def _gate(self, library: ASGIApp) -> ASGIApp:
        return Gate(library, engine=self.engine, is_open=lambda: self.is_ready, is_known=self._is_known)

    def _is_known(self, engine_sid: str) -> bool:
        return self.sessions.find(self._sid(engine_sid)) is not None

    def _sid(self, engine_sid: str) -> str:
        return self._rooms.sid_from_eio_sid(engine_sid, NAMESPACE) or ""

    async def _fill_gap(self) -> None:
        if not await self._heard.fill():
            for session in self.sessions.all():
                await self._handlers.close(session, RESYNC)

    def around(self, other: ASGIApp) -> ASGIApp:
        """Return an app that gives sockets the paths of this server, and everything else (lifespan too) to `other`."""

        async def route(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope.get("path", "")
            mine = (app for at, app in self._apps.items() if path == at or path.startswith(f"{at}/"))
            await next(mine, other)(scope, receive, send)

        return route

    async def start(self) -> None:
        """Listen to the other bridges. Returns also while Redis is away; then sockets are refused until it is back."""
        await self._fanout.start()

    async def run(self) -> None:
        """End sockets whose time is over, until cancelled. Watched by who runs it: without it tokens outlive `exp`.

        And note how far they have heard.
        """
        await asyncio.gather(self._endings.run(), self._heard.run(self._fanout, self.engine))

    async def stop(self) -> None:
        """Refuse new sockets and close all, so that clients reconnect elsewhere. Call before the web server stops."""
        self._stopping = True
        await self.engine.drop_all()
        for _ in range(int(STOP_TIMEOUT_S / STOP_POLL_S)):
            await asyncio.sleep(STOP_POLL_S)  # a waiting poll is answered meanwhile; a polling client that is away, not
            if not any(socket.upgraded for socket in self.engine.sockets.values()):
                break
        if task := self.engine.service_task_handle:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._fanout.stop()
        await self._limit.close()

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` from now on who joins, leaves and types."""
        self._handlers.watcher = watcher

    async def deliver_unstored(self, emit: Emit) -> None:
        """Send a frame that may be lost to this bridge's own sockets only: every bridge hears the other side itself."""
        await self._rooms.deliver(emit)

    async def tell(self, session: Session, event: str, data: dict[str, Any]) -> None:
        """Send one of this bridge's sockets something that nobody else is told."""
        emit = Emit(event=event, data=data, rooms=(session.sid,), conversation_id=0)
        await self._rooms.deliver_to(session.sid, [emit])
