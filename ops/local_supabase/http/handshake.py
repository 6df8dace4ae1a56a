"""GET /realtime/v1/websocket: the version, the key, the limits, then the socket."""

import asyncio
import re

from aiohttp import web

from ops.local_supabase.access import refusals
from ops.local_supabase.access.refusals import HandshakeRefusedError
from ops.local_supabase.access.tokens import TokenError
from ops.local_supabase.project import Project
from ops.local_supabase.sockets.context import Context
from ops.local_supabase.sockets.socket import CLOSE_TIMEOUT_S, Socket
from ops.local_supabase.wire import json_text
from ops.local_supabase.wire.frames import Version
from ops.local_supabase.wire.serializer import Serializer

MOST_FRAME_BYTES = 5_000_000  # a longer frame closes with 1009
PROJECT = web.AppKey("project", Project)
_VERSION = re.compile(r"^([12])\.0\.\d+$")


async def serve(request: web.Request) -> web.StreamResponse:
    """Open a socket and serve it to its end, or say in HTTP why not."""
    project = request.app[PROJECT]
    context = project.context
    if project.stopping:
        return web.Response(status=503, headers={"Connection": "close"})
    if "upgrade" not in request.headers.get("Connection", "").lower():
        given = json_text.encode([request.headers.get("Connection", "keep-alive")]).decode()
        return web.Response(status=400, text=f"'connection' header must contain 'upgrade', got {given}")
    version = _VERSION.match(request.query.get("vsn", "1.0.0"))
    if version is None:
        return web.Response(status=403, body=b"")
    try:
        token = _checked_token(context, request)
    except HandshakeRefusedError as refusal:
        await asyncio.sleep(context.settings.timings.connect_error_backoff_s)
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return web.Response(status=refusal.status, body=json_text.encode({"error": refusal.text}), headers=headers)
    websocket = web.WebSocketResponse(
        max_msg_size=MOST_FRAME_BYTES, autoping=False, compress=False, timeout=CLOSE_TIMEOUT_S, decode_text=True
    )
    await websocket.prepare(request)
    transport = request.transport
    if transport is None:
        return websocket
    socket = Socket(context, websocket, transport, token, Serializer(Version(int(version.group(1)))))
    project.sockets.add(socket)
    try:
        await socket.run()
    finally:
        project.sockets.discard(socket)
    return websocket


async def refuse_post(_request: web.Request) -> web.Response:
    return web.Response(status=400, body=b"")


def _checked_token(context: Context, request: web.Request) -> str:
    key = request.headers.get("x-api-key", request.query.get("apikey"))
    if context.settings.suspended:
        raise HandshakeRefusedError(403, "Realtime was disabled for this tenant")
    if key is None:
        raise HandshakeRefusedError(401, "API key is missing")
    token = context.keys.exchange(key)
    try:
        context.verifier.verify(token)
    except TokenError as error:
        raise refusals.at_handshake(error) from None
    if context.full:
        raise HandshakeRefusedError(429, "Too many connected users")
    if context.rates.joins.over:
        raise HandshakeRefusedError(429, "Too many joins per second")
    return token
