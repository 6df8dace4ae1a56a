"""The HTTP server around a project. Used by the command, the tests and the pytest plugin."""

import socket
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from ops.local_supabase.auth import admin
from ops.local_supabase.auth import api as auth_api
from ops.local_supabase.http import broadcast, handshake
from ops.local_supabase.http.body import MOST_BODY_BYTES
from ops.local_supabase.http.broadcast import CONTEXT, text_answer
from ops.local_supabase.project import Project
from ops.local_supabase.settings import Settings

SHUTDOWN_TIMEOUT_S = 3.0  # the sockets are closed before; this is for plain requests
BACKLOG = 1024
PREFIXES = ("/realtime/v1", "")  # behind the gateway, and the Realtime server's own paths

_log = structlog.get_logger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Endpoint:
    """One listening endpoint; `url` and `port` are known after `start`."""

    def __init__(self, settings: Settings, listener: socket.socket | None = None) -> None:
        """`listener` listens already, in place of the settings' host and port."""
        self.settings = settings
        self.project = Project(settings)
        self.port = settings.port
        self._runner: web.AppRunner | None = None
        self._listener = listener
        self._site: web.BaseSite | None = None

    @property
    def url(self) -> str:
        return f"http://{self.settings.host}:{self.port}"

    async def start(self) -> None:
        """Connect to the database, then listen. Raises OSError when the port is taken."""
        self._runner = web.AppRunner(
            _application(self.project), access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S, handler_cancellation=True
        )
        await self._runner.setup()
        site: web.BaseSite
        if self._listener is None:
            site = web.TCPSite(self._runner, self.settings.host, self.settings.port, backlog=BACKLOG)
        else:
            site = web.SockSite(self._runner, self._listener, backlog=BACKLOG)
        try:
            await self.project.start()
            await site.start()
            self._site = site
        except BaseException:
            await self.stop()
            raise
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening, so that nobody comes back too early; close every socket with its code, then all else."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        await self.project.stop()
        if self._runner is not None:
            await self._runner.cleanup()


def _application(project: Project) -> web.Application:
    application = web.Application(middlewares=[_cross_origin, _framework_answers], client_max_size=MOST_BODY_BYTES)
    application[CONTEXT] = project.context
    application[handshake.PROJECT] = project
    application.router.add_get("/healthcheck", _healthcheck)
    application.add_routes([*auth_api.routes(), *admin.routes()])
    for prefix, socket_path in zip(PREFIXES, ("/realtime/v1/websocket", "/socket/websocket"), strict=True):
        application.add_routes(broadcast.routes(prefix))
        application.router.add_get(socket_path, handshake.serve, allow_head=False)
        application.router.add_post(socket_path, handshake.refuse_post)
    return application


async def _healthcheck(request: web.Request) -> web.Response:
    """200 while broadcasts from the database arrive, 503 while the stream is down."""
    connected = request.app[CONTEXT].replicating.is_set()
    return web.Response(status=200 if connected else 503, text="ok" if connected else "replication is not connected")


@web.middleware
async def _cross_origin(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Answer preflights, and allow every origin, as the hosted gateway does."""
    if request.method == "OPTIONS" and request.app[CONTEXT].settings.answer_preflight:
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS",
                "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", "*"),
                "Access-Control-Max-Age": "3600",
            },
        )
    response = await handler(request)
    if "Origin" in request.headers and not response.prepared:
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = "X-Total-Count, Link, X-Supabase-Api-Version"
    return response


@web.middleware
async def _framework_answers(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Unknown paths and methods are 404; a failure says nothing but that it failed."""
    try:
        return await handler(request)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return text_answer(404, "Not Found", request_id=True)
    except web.HTTPException:
        raise
    except Exception:  # noqa: BLE001 - logged with its traceback, and no business of the client
        _log.exception("request_failed", path=request.path)
        return text_answer(500, "Internal Server Error", request_id=True)
