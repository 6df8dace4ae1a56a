"""A proxy before the Supabase endpoint that spoils `POST /api/broadcast` as told; sockets pass through unharmed."""

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from enum import StrEnum
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

BROADCAST = "/realtime/v1/api/broadcast"
HOP_HEADERS = frozenset({"host", "connection", "upgrade", "transfer-encoding", "content-length", "keep-alive"})
START_TIMEOUT_S = 20.0


class Fault(StrEnum):
    NONE = "none"
    ERROR = "answers 500"
    LIMIT = "answers 429"
    HANG = "hangs"
    DROP = "accepts and drops"
    REORDER = "reorders"


class FaultySupabase:
    """Runs in a thread of its own between `with` and its end; `fault` may be set at any time."""

    def __init__(self, port: int, upstream: str) -> None:
        self.fault = Fault.NONE
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._upstream = upstream
        self.upstream_port = urlsplit(upstream).port
        self._held: bytes | None = None
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(START_TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop
        assert self._stopping
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(START_TIMEOUT_S)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        async with aiohttp.ClientSession(auto_decompress=False) as http:

            async def handle(request: web.Request) -> web.StreamResponse:
                if request.headers.get("Upgrade", "").lower() == "websocket":
                    return await _pass_socket(http, self._upstream, request)
                if request.method == "POST" and request.path == BROADCAST:
                    return await self._broadcast(http, request)
                return await _pass(http, self._upstream, request, await request.read())

            runner = web.AppRunner(_app(handle), shutdown_timeout=0.1, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
            self._started.set()
            await self._stopping.wait()
            await runner.cleanup()

    async def _broadcast(self, http: aiohttp.ClientSession, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        match self.fault:
            case Fault.ERROR:
                return web.json_response({"message": "boom"}, status=500)
            case Fault.LIMIT:
                return web.json_response({"message": "Too many requests"}, status=429, headers={"Retry-After": "1"})
            case Fault.HANG:
                await asyncio.sleep(60)
                return web.Response(status=504)
            case Fault.DROP:
                return web.Response(status=202)
            case Fault.REORDER:
                return await self._swap(http, request, body)
            case _:
                return await _pass(http, self._upstream, request, body)

    async def _swap(self, http: aiohttp.ClientSession, request: web.Request, body: bytes) -> web.StreamResponse:
        """Hold every other batch back until its successor has been sent."""
        if self._held is None:
            self._held = body
            return web.Response(status=202)
        held, self._held = self._held, None
        answer = await _pass(http, self._upstream, request, body)
        await _pass(http, self._upstream, request, held)
        return answer


def _app(handle: object) -> web.Application:
    app = web.Application(client_max_size=16 * 1_048_576)
    app.router.add_route("*", "/{path:.*}", handle)  # type: ignore[arg-type]
    return app


def _headers(request: web.Request) -> Mapping[str, str]:
    return {
        name: value
        for name, value in request.headers.items()
        if name.lower() not in HOP_HEADERS and not name.lower().startswith("sec-websocket")
    }


async def _pass(http: aiohttp.ClientSession, upstream: str, request: web.Request, body: bytes) -> web.Response:
    url = upstream + request.path_qs
    async with http.request(request.method, url, data=body, headers=_headers(request)) as answer:
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_HEADERS}
        return web.Response(status=answer.status, body=await answer.read(), headers=kept)


async def _pass_socket(http: aiohttp.ClientSession, upstream: str, request: web.Request) -> web.WebSocketResponse:
    """Carry frames both ways until either end closes."""
    down = web.WebSocketResponse(max_msg_size=0)
    await down.prepare(request)
    async with http.ws_connect(upstream + request.path_qs, headers=_headers(request), max_msg_size=0) as up:
        pumps = [asyncio.create_task(_pump(down, up)), asyncio.create_task(_pump(up, down))]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
    with contextlib.suppress(ConnectionError):
        await down.close()
    return down


Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _pump(source: Socket, target: Socket) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await target.send_bytes(message.data)
