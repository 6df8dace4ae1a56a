"""Probes and figures over HTTP, beside the legacy sockets. `__main__` mounts those around them."""

from collections.abc import Sequence
from time import monotonic

import psycopg
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from realtime_bridge.legacy.socketio.server import LegacyServer
from realtime_bridge.process import front_page
from realtime_bridge.process.front_page import JsonLine
from realtime_bridge.relay.loop import Relay
from realtime_bridge.shared.database import Pool
from realtime_bridge.supabase.probe.way import Way

READY_TIMEOUT_S = 1.0
FRESH_S = 1.0  # gathering takes the loop some milliseconds


def create_http_app(
    pool: Pool, relays: Sequence[Relay], legacy: LegacyServer | None = None, *, way: Way | None = None
) -> Starlette:
    async def root(request: Request) -> Response:
        return front_page.answer(request, legacy_path=legacy.path if legacy else None)

    async def livez(_: Request) -> Response:
        return JsonLine({"status": "ok"})

    async def readyz(_: Request) -> Response:
        """200 while the database answers; a failing sink is reported, not fatal: its events wait in the log."""
        facts: dict[str, object] = {"sinks": {relay.sink.name: _state(relay) for relay in relays}}
        if way and way.has_seat:
            facts["listens"] = not way.is_deaf
        if legacy:
            facts["legacySockets"] = "open" if legacy.is_ready else "closed until Redis answers"
        try:
            async with pool.connection(timeout=READY_TIMEOUT_S) as connection:
                await connection.execute("select 1")
        except psycopg.Error:
            return JsonLine({"status": "unavailable", "database": "unavailable", **facts}, 503)
        return JsonLine({"status": "ok", "database": "ok", **facts})

    return Starlette(routes=[Route("/", root), Route("/livez", livez), Route("/readyz", readyz)])


def create_metrics_app() -> Starlette:
    """`/metrics` for a port of its own: figures are the operator's. Gathered once in FRESH_S, whoever asks."""
    text, made_at = b"", float("-inf")

    async def metrics(_: Request) -> Response:
        nonlocal text, made_at
        if monotonic() >= made_at + FRESH_S:
            text, made_at = generate_latest(), monotonic()
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/metrics", metrics)])


def _state(relay: Relay) -> str:
    if relay.lease is None:
        return "standby"
    return "degraded" if relay.health.failures else "active"
