"""Guard in front of the Socket.IO library, as an ASGI app. Lets nothing through that would make it raise.

Wired by the server.

Bounds and checks every request body and websocket frame (frames.py), and turns what the library still breaks on into
one log line and a closed connection.
"""

import asyncio
import json
from collections.abc import Callable
from urllib.parse import parse_qs

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime_bridge.legacy.socketio import old_clients
from realtime_bridge.legacy.socketio.engine import BoundedEngine
from realtime_bridge.legacy.socketio.packets import (
    MAX_FRAME_BYTES,
    PROTOCOL_ERROR,
    TOO_LARGE,
    BadFrame,
    check_polling_body,
    check_websocket_frame,
)
from realtime_bridge.network import door

log = structlog.get_logger(__name__)

SERVICE_RESTART = 1012  # RFC 6455 registry: come back, to this server or another
NORMAL = 1000
GOODBYE = "1"  # Engine.IO CLOSE
UPGRADE_TIMEOUT_S = 20.0  # as long as a ping may take; until then the session hears nothing on its old transport
UPGRADE_MESSAGES = 3  # connect, probe, upgrade


class Gate:
    """Wraps the library's ASGI app; `engine` owns the sessions, `is_open` says whether to let anybody in.

    `is_known` says of a session whether a token opened it.
    """

    def __init__(
        self, app: ASGIApp, *, engine: BoundedEngine, is_open: Callable[[], bool], is_known: Callable[[str], bool]
    ) -> None:
        self._app = app
        self._engine = engine
        self._is_open = is_open
        self._is_known = is_known
        self._has_met_old = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] == "websocket":
                await self._websocket(scope, receive, send)
            else:
                await self._http(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - a broken connection is its own affair; the server carries on
            log.warning("legacy connection ended by an error", error=f"{type(error).__name__}: {error}"[:200])

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_open():
            await receive()
            await send({"type": "websocket.close", "code": SERVICE_RESTART})
            return
        query = _query(scope)
        if self._is_old(query):
            await old_clients.answer_websocket(receive, send)
            return
        sid = query.get("sid", [""])[0]
        guarded = GuardedWebSocket(
            receive, send, is_upgrade=bool(sid), is_proven=lambda: self._is_known(sid) and door.prove(scope)
        )
        try:
            await self._app(scope, guarded.receive, guarded.send)
        finally:
            self._engine.end_upgrade(sid)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = _query(scope)
        if not self._is_open():
            await _refusal(503, "not_ready", {"retry-after": "1"})(scope, receive, send)
            return
        if "j" in query:  # JSONP: for browsers of 2010, and one more parser to guard
            await _refusal(400, "jsonp_not_supported")(scope, receive, send)
            return
        if self._is_old(query):
            await old_clients.answer_poll(scope, receive, send, is_first="sid" not in query)
            return
        sid = query.get("sid", [""])[0]
        body = b""
        try:
            async for part in Request(scope, receive).stream():
                if len(body) <= MAX_FRAME_BYTES:  # cut just past the limit
                    body += part
        except ClientDisconnect:
            return
        if scope["method"] == "POST":
            try:
                check_polling_body(body)
            except BadFrame as error:
                await self._engine.drop(sid, discard=True)
                await _refusal(413 if error.close_code == TOO_LARGE else 400, "bad_frame")(scope, receive, send)
                return
        if self._is_known(sid):
            door.prove(scope)
        self._engine.forget_closed(sid)
        await self._app(scope, _replay(body, receive), send)

    def _is_old(self, query: dict[str, list[str]]) -> bool:
        is_old = query.get("EIO") == [old_clients.ENGINE_IO]
        if is_old and not self._has_met_old:
            self._has_met_old = True  # the first one is told of: old clients try for ever
            log.warning("a client of Socket.IO 1 or 2 was turned away", told=old_clients.WORDS)
        return is_old


class GuardedWebSocket:
    """Ends the conversation at the first bad frame; after that the library hears and says nothing more."""

    def __init__(self, receive: Receive, send: Send, *, is_upgrade: bool, is_proven: Callable[[], bool]) -> None:
        self._receive = receive
        self._send = send
        self._closed = False
        self._leaving = False
        """The client said goodbye; the library would wait for it to close the line."""
        self._hurried = UPGRADE_MESSAGES if is_upgrade else 0
        self._is_proven = is_proven
        self._proven = not is_upgrade
        """Its session may be proven over another connection, before or after this one becomes its own."""

    async def receive(self) -> Message:
        if self._closed:
            return {"type": "websocket.disconnect", "code": 1006}
        if self._leaving:
            return await self._end(NORMAL, "")
        try:
            message = await self._next()
        except TimeoutError:
            return await self._end(PROTOCOL_ERROR, "upgrade took too long")
        self._proven = self._proven or self._is_proven()
        if message["type"] == "websocket.receive":
            try:
                check_websocket_frame(message.get("text"), message.get("bytes"))
            except BadFrame as error:
                return await self._end(error.close_code, str(error))
            self._leaving = message["text"] == GOODBYE
        return message

    async def _end(self, code: int, reason: str) -> Message:
        await self.send({"type": "websocket.close", "code": code, "reason": reason})
        return {"type": "websocket.disconnect", "code": code}

    async def _next(self) -> Message:
        if not self._hurried:
            return await self._receive()
        self._hurried -= 1
        async with asyncio.timeout(UPGRADE_TIMEOUT_S):
            return await self._receive()

    async def send(self, message: Message) -> None:
        if self._closed:
            return
        self._closed = message["type"] == "websocket.close"
        self._proven = self._proven or self._is_proven()
        await self._send(message)


def _query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope.get("query_string", b"").decode("latin-1"))


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _refusal(status: int, code: str, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps({"code": code}), status, headers, "application/json")
