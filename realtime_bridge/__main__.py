"""The bridge process: wires relays, sinks, legacy sockets and probes together. Run as `python -m realtime_bridge`."""

import asyncio
import os
import signal
import socket
import sys
import uuid
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog
from starlette.types import ASGIApp

from realtime_bridge import db
from realtime_bridge.environment import ConfigurationError
from realtime_bridge.http_app import create_http_app
from realtime_bridge.janitor import Janitor
from realtime_bridge.legacy import socketio_server
from realtime_bridge.legacy.conversations import StoredConversations
from realtime_bridge.logs import configure_logging
from realtime_bridge.relay import Pool, Relay
from realtime_bridge.service import RealtimeService
from realtime_bridge.settings import Settings, TransportName
from realtime_bridge.sinks.legacy import LegacySink
from realtime_bridge.sinks.supabase import SupabaseSink
from realtime_bridge.sinks.wuzapi import WuzapiSink
from realtime_bridge.tokens import TokenVerifier
from realtime_bridge.transports.base import Transport
from realtime_bridge.transports.database import DatabaseTransport
from realtime_bridge.transports.http import HttpTransport
from realtime_bridge.wakeup import Wakeup
from realtime_bridge.web_server import WebServer
from realtime_bridge.wuzapi.client import WuzapiClient
from realtime_bridge.wuzapi.sender import Sender

log = structlog.get_logger(__name__)

POOL_SIZE = 12  # two for each relay (pages, lease), four for subscriptions, the rest for probes and sends
CANCEL_TIMEOUT_S = 3.0
STOP_TIMEOUT_S = 10.0  # one page and one provider timeout; leases expire by themselves after that


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; raises what any part raised, for a bridge that is half alive helps nobody."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    pool = db.pool(settings.database_url, name="bridge", size=POOL_SIZE)
    transport = create_transport(settings)
    legacy = create_legacy(settings, pool) if settings.feeds_legacy else None
    relays = create_relays(settings, pool, transport, legacy)
    wuzapi = WuzapiClient()
    sender = create_sender(settings, pool, wuzapi)
    app: ASGIApp = create_http_app(pool, relays, legacy)
    server = WebServer(legacy.around(app) if legacy else app, host=settings.host, port=settings.port)
    await pool.open()
    if legacy:
        await legacy.start()
    tasks = _start(server.serve(), *(relay.run() for relay in relays), *([sender.run()] if sender else []))
    helpers = _start(
        Wakeup(settings.database_url, [relay.wake for relay in relays]).run(),
        Janitor(pool, retention_days=settings.event_retention_days).run(),
    )
    log.info("bridge started", sinks=[relay.sink.name for relay in relays], port=settings.port)
    try:
        await _first_of(stopping, [*tasks, *helpers])
    finally:
        for relay in relays:
            relay.stop()
        if sender:
            sender.stop()
        if legacy:
            await legacy.stop()
        server.should_exit = True
        await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)
        await _cancel([*tasks, *helpers])
        await transport.close()
        await wuzapi.close()
        await pool.close()
        log.info("bridge stopped")


def create_transport(settings: Settings) -> Transport:
    if settings.transport is TransportName.DATABASE:
        return DatabaseTransport()
    return HttpTransport(supabase_url=settings.supabase_url or "", secret_key=settings.supabase_secret_key or "")


def create_legacy(settings: Settings, pool: Pool) -> socketio_server.LegacyServer:
    return socketio_server.create(
        verifier=TokenVerifier(settings.jwt_secret),
        conversations=StoredConversations(pool),
        redis_url=settings.redis_url,
        cors_origins=settings.cors_origins,
    )


def create_relays(
    settings: Settings, pool: Pool, transport: Transport, legacy: socketio_server.LegacyServer | None
) -> list[Relay]:
    """Return a relay for each side that CHAT_REALTIME_PROVIDER feeds, and for what is fed always."""
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    relays = []
    if settings.feeds_supabase:
        relays.append(Relay(sink=SupabaseSink(RealtimeService(transport)), pool=pool, owner=owner))
    if legacy:
        relays.append(Relay(sink=LegacySink(legacy), pool=pool, owner=owner))
    relays.append(Relay(sink=WuzapiSink(), pool=pool, owner=owner))
    return relays


def create_sender(settings: Settings, pool: Pool, client: WuzapiClient) -> Sender | None:
    """Without a key no channel can have been made here: what other bridges can send waits for them."""
    if settings.secrets is None:
        return None
    return Sender(pool=pool, secrets=settings.secrets, servers=settings.wuzapi_servers, client=client)


def _start(*parts: Coroutine[Any, Any, object]) -> list[asyncio.Task[object]]:
    return [asyncio.create_task(part) for part in parts]


async def _first_of(stopping: asyncio.Event, tasks: Sequence[asyncio.Task[object]]) -> None:
    """Return when asked to stop; raise when a part ends by itself."""
    waiter = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    for task in done - {waiter}:
        task.result()
        raise RuntimeError("A part of the bridge ended by itself.")


async def _cancel(tasks: Sequence[asyncio.Task[object]]) -> None:
    """End what has not ended; bounded, for a library may swallow a cancellation."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=CANCEL_TIMEOUT_S)


def main() -> int:
    try:
        settings = Settings.from_env(os.environ)
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - before logging is configured
        return 1
    configure_logging("bridge", settings.log_level, settings.log_format)
    asyncio.run(run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
