"""The Socket.IO server that old clients connect to, hosted by the bridge. Wired by `realtime_bridge/__main__.py`.

In: `subscribe:conversation`, `unsubscribe:conversation`, `typing`. Out: `message`, `messageStatus`, `typing` to a
conversation's room, `conversation` to each participant. Whoever sends anything else gets an `error` event or is closed;
nobody else notices. The token is checked where access is given: on connect and on every subscription.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import socketio
import structlog
from engineio.payload import Payload
from socketio import packet
from socketio.exceptions import ConnectionRefusedError as Refused
from starlette.types import ASGIApp

from realtime_bridge.legacy import answers
from realtime_bridge.legacy.catch_up import CatchUp
from realtime_bridge.legacy.conversations import Conversations, ConversationsUnavailable
from realtime_bridge.legacy.dialects import Emit, conversation_room, typing, user_room
from realtime_bridge.legacy.engine import MAX_QUEUED_PACKETS, BoundedEngine
from realtime_bridge.legacy.fanout import Fanout, LocalFanout, RedisFanout
from realtime_bridge.legacy.frames import MAX_FRAME_BYTES, MAX_PACKETS, BadFrame, check_event
from realtime_bridge.legacy.gate import Gate
from realtime_bridge.legacy.rooms import Rooms
from realtime_bridge.legacy.sessions import MAX_SOCKETS_PER_USER, MAX_SUBSCRIPTIONS, Session, Sessions
from realtime_bridge.tokens import TokenError, TokenVerifier

log = structlog.get_logger(__name__)

PATH = "api/ws"
PING_INTERVAL_S = 25  # the library's and the old clients' defaults
PING_TIMEOUT_S = 20
CONNECT_TIMEOUT_S = 20.0  # an Engine.IO session without a token's Socket.IO connection is closed after this
STOP_TIMEOUT_S = 2.0  # clients that do not take the goodbye by then notice by themselves
LIBRARY_LOGGER = "realtime_bridge.legacy.socketio"


def create(
    *,
    verifier: TokenVerifier,
    conversations: Conversations,
    redis_url: str | None = None,
    cors_origins: Sequence[str] = (),
    path: str = PATH,
    ping_interval_s: int = PING_INTERVAL_S,
    ping_timeout_s: int = PING_TIMEOUT_S,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    max_sockets_per_user: int = MAX_SOCKETS_PER_USER,
    max_queued_packets: int = MAX_QUEUED_PACKETS,
) -> "LegacyServer":
    """Return a server that is not started. Without `redis_url` this bridge must be the only one.

    `cors_origins` empty means the page's own origin only; `*` in it means any.
    """
    Payload.max_decode_packets = MAX_PACKETS  # the library's way to set it; 16 loses a reconnecting client's requests
    logger = logging.getLogger(LIBRARY_LOGGER)
    logger.setLevel(logging.ERROR)  # the library warns about what any stranger can provoke
    rooms = Rooms()
    sio = GuardedSocketServer(
        client_manager=rooms,
        async_mode="asgi",
        async_handlers=False,  # a socket's frames are handled one after another, so a flood holds up its sender only
        cors_allowed_origins=list(cors_origins) or None,
        max_http_buffer_size=MAX_FRAME_BYTES,
        max_queued=max_queued_packets,
        ping_interval=ping_interval_s,
        ping_timeout=ping_timeout_s,
        logger=logger,
        engineio_logger=logger,
    )
    sio.connect_timeout_s = connect_timeout_s
    return LegacyServer(
        sio=sio,
        rooms=rooms,
        sessions=Sessions(per_user=max_sockets_per_user),
        verifier=verifier,
        conversations=conversations,
        redis_url=redis_url,
        path=path,
    )


class GuardedSocketServer(socketio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """The library's server, closing a socket that breaks the protocol instead of raising."""

    connect_timeout_s = CONNECT_TIMEOUT_S
    eio: BoundedEngine

    def _engineio_server_class(self) -> type[BoundedEngine]:
        return BoundedEngine

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        self.close_unless_connected(eio_sid)

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        try:
            self._check(eio_sid, data)
            await super()._handle_eio_message(eio_sid, data)
        except BadFrame as error:
            log.info("legacy socket closed for a bad frame", reason=str(error))
            await self.eio.drop(eio_sid)
        except Exception as error:  # noqa: BLE001 - the library would log a traceback for each and carry on
            log.error("legacy socket closed, its handler broke", error=f"{type(error).__name__}: {error}"[:500])  # noqa: TRY400
            await self.eio.drop(eio_sid)

    def _check(self, eio_sid: str, data: Any) -> None:
        """Raise BadFrame unless the library can handle this packet; it parses once more, from at most 64 KiB."""
        try:
            parsed = self.packet_class(encoded_packet=data)
        except Exception as error:  # noqa: BLE001 - whatever the parser breaks on, the frame is to blame
            raise BadFrame(f"not a Socket.IO packet: {type(error).__name__}") from None
        if parsed.packet_type == packet.CONNECT:
            return
        if self.manager.sid_from_eio_sid(eio_sid, parsed.namespace or "/") is None:
            raise BadFrame("connect first")
        if parsed.packet_type == packet.EVENT:
            check_event(parsed.data)
        elif parsed.packet_type != packet.DISCONNECT:
            raise BadFrame("nothing was asked, so there is nothing to acknowledge")

    def close_unless_connected(self, eio_sid: str) -> None:
        """Give a session time to present a token."""
        asyncio.get_running_loop().call_later(self.connect_timeout_s, self._check_connected, eio_sid)

    def _check_connected(self, eio_sid: str) -> None:
        if eio_sid in self.eio.sockets and self.manager.sid_from_eio_sid(eio_sid, "/") is None:
            self.start_background_task(self.eio.drop, eio_sid)


class LegacyServer:
    """Sessions, subscriptions and typing; `publish` is the sink's way in, `app` the ASGI app for every path below."""

    def __init__(
        self,
        *,
        sio: GuardedSocketServer,
        rooms: Rooms,
        sessions: Sessions,
        verifier: TokenVerifier,
        conversations: Conversations,
        redis_url: str | None,
        path: str,
    ) -> None:
        self.path = f"/{path.strip('/')}"
        self.sessions = sessions
        self._sio = sio
        self._rooms = rooms
        self._verifier = verifier
        self._conversations = conversations
        self._catch_up = CatchUp(rooms, sio.eio, conversations)
        self._fanout: Fanout = RedisFanout(rooms, redis_url, self.drop_all) if redis_url else LocalFanout(rooms)
        self._stopping = False
        self._asgi = socketio.ASGIApp(sio, socketio_path=path)
        self.app: ASGIApp = Gate(self._asgi, engine=sio.eio, is_open=lambda: self.is_ready)
        sio.on("connect", self._connect)
        sio.on("disconnect", self._disconnect)
        sio.on("*", self._on_event)

    def around(self, other: ASGIApp) -> ASGIApp:
        """Return an app that gives sockets the path of this server, and everything else (lifespan too) to `other`."""

        async def route(scope: Any, receive: Any, send: Any) -> None:
            path = scope.get("path", "")
            mine = path == self.path or path.startswith(f"{self.path}/")
            await (self.app if mine else other)(scope, receive, send)

        return route

    @property
    def is_ready(self) -> bool:
        """Whether sockets are accepted: what is published from now on will reach them."""
        return self._fanout.is_ready and not self._stopping

    @property
    def socket_count(self) -> int:
        return len(self.sessions)

    async def start(self) -> None:
        """Listen to the other bridges. Returns also while Redis is away; then sockets are refused until it is back."""
        await self._fanout.start()

    async def stop(self) -> None:
        """Refuse new sockets and close all, so that clients reconnect elsewhere. Call before the web server stops."""
        self._stopping = True
        await self.drop_all()
        for _ in range(int(STOP_TIMEOUT_S / 0.02)):
            if not self._sio.eio.sockets:
                break
            await asyncio.sleep(0.02)
        if task := self._sio.eio.service_task_handle:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._fanout.stop()

    async def drop_all(self) -> None:
        """Close every socket; clients reconnect by themselves, subscribe again and catch up."""
        for engine_sid in list(self._sio.eio.sockets):
            await self._sio.eio.drop(engine_sid)

    async def publish(self, emits: Sequence[Emit]) -> None:
        """Send stored events' frames to everybody they concern, on every bridge. Raises FanoutUnavailable."""
        await self._fanout.publish(emits)

    async def _connect(self, sid: str, _environ: dict[str, Any], auth: object = None) -> None:
        try:
            claims = self._verifier.verify(auth.get("token") if isinstance(auth, dict) else None)
        except TokenError as error:
            raise Refused(str(error), {"code": error.code}) from None
        if not self.sessions.has_room_for(claims):
            raise Refused("Too many connections of this user.", {"code": "too_many_connections"})
        engine_sid = self._rooms.eio_sid_from_sid(sid, "/")
        self.sessions.add(Session(sid=sid, engine_sid=engine_sid, claims=claims))
        await self._sio.enter_room(sid, user_room(claims.user_id))

    async def _disconnect(self, sid: str, _reason: str) -> None:
        session = self.sessions.remove(sid)
        self._rooms.forget_socket(sid)
        if session is None:
            return
        self._sio.close_unless_connected(session.engine_sid)
        for conversation_id in session.typing:
            sign = typing(conversation_id, session.claims.user_id, is_typing=False)
            await self._fanout.publish_unstored(sign, skip_sid=sid)

    async def _on_event(self, event: str, sid: str, *arguments: object) -> dict[str, Any]:
        """Answer one event; the answer is its acknowledgement, and an error is also sent as an `error` event."""
        session = self.sessions.find(sid)
        if session is None:
            return answers.error("not_connected", "Connect first.")
        try:
            answer = await self._dispatch(event, session, arguments)
        except answers.Mistake as mistake:
            answer = answers.error(mistake.code, str(mistake))
        except ConversationsUnavailable as error:
            log.warning("legacy subscription not checked", error=str(error))
            answer = answers.error("unavailable", "Try again in a moment.")
        if "error" in answer:
            emit = Emit(event="error", data=answer["error"] | {"event": event}, rooms=(sid,), conversation_id=0)
            await self._rooms.deliver_to(sid, [emit])
        return answer

    async def _dispatch(self, event: str, session: Session, arguments: tuple[object, ...]) -> dict[str, Any]:
        match event:
            case "subscribe:conversation":
                return await self._subscribe(session, *answers.subscription(arguments))
            case "unsubscribe:conversation":
                return await self._unsubscribe(session, answers.conversation_id(arguments[:1]))
            case "typing":
                return await self._typing(session, *answers.typing(arguments))
            case _:
                raise answers.Mistake("unknown_event", "There is no such event.")

    async def _subscribe(self, session: Session, conversation_id: int, after_seq: int | None) -> dict[str, Any]:
        if self.sessions.has_expired(session):
            raise answers.Mistake("token_expired", "The token has expired; connect again with a new one.")
        if conversation_id not in session.subscriptions and len(session.subscriptions) >= MAX_SUBSCRIPTIONS:
            raise answers.Mistake("too_many_subscriptions", f"At most {MAX_SUBSCRIPTIONS} conversations for a socket.")
        last_seq = await self._conversations.find_last_seq(conversation_id, session.claims.user_id)
        if last_seq is None:
            await self._unsubscribe(session, conversation_id)
            raise answers.not_found()
        room = conversation_room(conversation_id)
        start = last_seq if after_seq is None else min(after_seq, last_seq)
        caught_up = await self._catch_up.join(session, conversation_id, room, start)
        session.subscriptions.add(conversation_id)
        answer = {"ok": True, "conversationId": str(conversation_id), "lastSeq": max(last_seq, caught_up.last_seq)}
        return answer | {"truncated": True} if caught_up.is_truncated else answer

    async def _unsubscribe(self, session: Session, conversation_id: int) -> dict[str, Any]:
        session.subscriptions.discard(conversation_id)
        await self._sio.leave_room(session.sid, conversation_room(conversation_id))
        self._rooms.forget_hold(session.sid, conversation_room(conversation_id))
        return {"ok": True, "conversationId": str(conversation_id)}

    async def _typing(self, session: Session, conversation_id: int, is_typing: bool) -> dict[str, Any]:
        if conversation_id not in session.subscriptions:
            raise answers.Mistake("not_subscribed", "Subscribe to the conversation first.")
        if self.sessions.take_typing(session, conversation_id, is_typing=is_typing):
            sign = typing(conversation_id, session.claims.user_id, is_typing=is_typing)
            await self._fanout.publish_unstored(sign, skip_sid=session.sid)
        return {"ok": True}
