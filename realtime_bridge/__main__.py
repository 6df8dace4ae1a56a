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

from realtime_bridge.event_log.janitor import Janitor
from realtime_bridge.fleet.clock import DatabaseClock
from realtime_bridge.legacy.farewell import Farewell
from realtime_bridge.network.bind_addresses import Address, check_addresses
from realtime_bridge.network.door import Door, places
from realtime_bridge.network.web_server import WebServer
from realtime_bridge.parity.tally import Tally
from realtime_bridge.process.probes import create_http_app, create_metrics_app
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.settings import Settings, TransportName
from realtime_bridge.shared import database, memory
from realtime_bridge.shared.canary_user import CANARY_ID
from realtime_bridge.shared.environment import ConfigurationError, misspelt
from realtime_bridge.shared.logging import configure_logging
from realtime_bridge.supabase.database import find_readers
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.rate import Rate
from realtime_bridge.supabase.sink import RealtimeService
from realtime_bridge.webhooks.places import REQUESTS
from realtime_bridge.webhooks.queue.retention import WebhookJanitor
from realtime_bridge.wiring.legacy import create_legacy
from realtime_bridge.wiring.observers import Observers
from realtime_bridge.wiring.relays import create_heartbeat, create_relays, create_wakeup
from realtime_bridge.wiring.rollout import Pinned, create_rollout
from realtime_bridge.wiring.senders import create_sender, create_wuzapi_sender
from realtime_bridge.wiring.supabase import create_teller, create_transport

log = structlog.get_logger(__name__)

POOL_SIZE = 20  # two for each relay, four for subscriptions, the rest for what sends, judges and probes
CANCEL_TIMEOUT_S = 3.0
PAGE_TIMEOUT_S = 3.0  # of a relay that stops; what is sent after that finds no legacy sockets
STOP_TIMEOUT_S = 10.0  # one page and one provider timeout; leases expire by themselves after that


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; raises what any part raised, for a bridge that is half alive helps nobody."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    pool = database.pool(settings.database_url, name="bridge", size=POOL_SIZE)
    way = create_way(settings)
    transport = create_transport(settings, way)
    name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    legacy = create_legacy(settings, pool, name) if settings.feeds_legacy else None
    rollout = create_rollout(settings, pool, transport, legacy, name)
    clock = DatabaseClock()
    service = RealtimeService(transport, without_inbox=[CANARY_ID])
    tallies = {side: Tally(side, now=clock.now) for side in Side}
    relays = create_relays(settings, pool, service, way, legacy, name, rollout, tallies)
    heartbeat = create_heartbeat(settings, pool, relays, legacy, name, rollout, clock)
    observed = Observers(
        settings=settings,
        pool=pool,
        name=name,
        legacy=legacy,
        transport=transport,
        tallies=list(tallies.values()),
        dial=rollout or Pinned(settings),
        delivers=lambda side: any(relay.lease for relay in relays if relay.sink.name == side),
        tell_unheard=create_teller(relays),
        way=way,
    )
    app: ASGIApp = create_http_app(pool, relays, legacy, way=way)
    door = Door(places(calls=REQUESTS))
    apps = [legacy.around(app) if legacy else app, create_metrics_app()]
    servers = [
        WebServer(app, door, host=address.host, port=address.port, fd=settings.listen_fds.get(address.port))
        for app, address in zip(apps, addresses(settings), strict=False)  # without a port, no metrics
    ]
    await pool.open()
    if legacy:
        await legacy.start()
    caller, sender = create_sender(settings, pool)
    wuzapi, wuzapi_sender = create_wuzapi_sender(settings, pool)
    delivering = _start(*(relay.run() for relay in relays))
    tasks = [
        *delivering,
        *_start(*(server.serve() for server in servers), *(part.run() for part in (sender, wuzapi_sender) if part)),
    ]
    wakeup = create_wakeup(settings, relays, rollout, sender)
    helpers = _start(
        wakeup.run(),
        door.run(),
        Janitor(pool, retention_days=settings.event_retention_days).run(),
        *observed.create(wakeup),
        heartbeat.run(),
        *([legacy.run()] if legacy else []),
        *([rollout.dial.run(), rollout.keeper.run()] if rollout else []),
        *([Farewell(legacy, rollout.farewell_notice, settings.legacy_grace_s).run()] if legacy and rollout else []),
        WebhookJanitor(pool, retention_days=settings.event_retention_days).run(),
    )
    log.info("bridge started", sinks=[relay.sink.name for relay in relays], port=settings.port)
    try:
        await _first_of(stopping, [*tasks, *helpers])
    finally:
        for relay in relays:
            relay.stop()
        for part in (sender, wuzapi_sender):
            if part:
                part.stop()
        await asyncio.wait(delivering, timeout=PAGE_TIMEOUT_S)  # a page under way is for who is still connected
        if legacy:
            await legacy.stop()
        for server in servers:
            server.should_exit = True
        await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)
        await _cancel([*tasks, *helpers])
        await observed.close()
        for client in (caller, wuzapi):
            if client:
                await client.close()
        await transport.close()
        await pool.close()
        log.info("bridge stopped")


def create_way(settings: Settings) -> Way:
    """Return what is known of the way to Supabase's clients: nothing yet."""
    uses_http = settings.transport is TransportName.HTTP
    return Way(
        over_http=uses_http,
        has_seat=settings.has_seat,
        rate=Rate(settings.supabase_rate),
        find_readers=None if uses_http else find_readers,
    )


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


def addresses(settings: Settings) -> list[Address]:
    """Return where the bridge listens, and which variable says so."""
    found = [Address(settings.host, settings.port, "CROSSFADE_BRIDGE_PORT")]
    if settings.metrics_port is not None:
        found.append(Address(settings.metrics_host, settings.metrics_port, "CROSSFADE_BRIDGE_METRICS_PORT"))
    return found


def main() -> int:
    try:
        settings = Settings.from_env(os.environ)
        check_addresses(addresses(settings), settings.listen_fds)
        configure_logging("bridge", settings.log_level, settings.log_format)
        for sentence in misspelt(os.environ):
            log.warning(sentence)
        memory.share_arenas()
        memory.MemoryKeeper().start()
        memory.collect_less()
        asyncio.run(run(settings))
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a sentence for whoever starts it, also before logging works
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
