"""The bridge process: wires relays, sinks, legacy sockets and probes together. Run as `python -m realtime_bridge`."""

import asyncio
import os
import signal
import socket
import sys
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from starlette.types import ASGIApp

from realtime_bridge import garbage
from realtime_bridge.event_log.janitor import Janitor
from realtime_bridge.event_log.wakeup import DELIVERIES_CHANNEL, FAILURES_CHANNEL, Wakeup
from realtime_bridge.feed import Feed
from realtime_bridge.fleet.clock import DatabaseClock
from realtime_bridge.fleet.heartbeat import Feeds, Heartbeat
from realtime_bridge.fleet.reports import Report
from realtime_bridge.legacy.cards import StoredCards
from realtime_bridge.legacy.conversations import StoredConversations
from realtime_bridge.legacy.farewell import Farewell
from realtime_bridge.legacy.heard import StoredLog
from realtime_bridge.legacy.incoming import StoredIncoming
from realtime_bridge.legacy.sessions import Sockets
from realtime_bridge.legacy.sink import LegacySink
from realtime_bridge.legacy.socketio import server as socketio_server
from realtime_bridge.legacy.standing import StoredStanding
from realtime_bridge.parity.counting_sink import CountedSink
from realtime_bridge.process.door import Door, places
from realtime_bridge.process.probes import create_http_app, create_metrics_app
from realtime_bridge.process.web_server import WebServer
from realtime_bridge.relay.heard import Echo
from realtime_bridge.relay.loop import Pool, Relay
from realtime_bridge.relay.sink import Sink
from realtime_bridge.rollout.gate.slots import Side
from realtime_bridge.service import RealtimeService
from realtime_bridge.settings import CanaryMode, Settings, TransportName
from realtime_bridge.shared import database as db
from realtime_bridge.shared import jwks, memory
from realtime_bridge.shared.bind_addresses import Address, check_addresses
from realtime_bridge.shared.canary_user import CANARY_ID
from realtime_bridge.shared.environment import ConfigurationError
from realtime_bridge.shared.jwks import ProjectKeys
from realtime_bridge.shared.logging import configure_logging
from realtime_bridge.shared.tokens import TokenVerifier
from realtime_bridge.shared.variables import Provider
from realtime_bridge.supabase.database import DatabaseTransport, find_readers
from realtime_bridge.supabase.fallback import FallbackTransport
from realtime_bridge.supabase.http import HttpTransport
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.rate import Rate
from realtime_bridge.supabase.sink import SupabaseSink
from realtime_bridge.supabase.transport import Transport
from realtime_bridge.webhooks.call.attempt import Caller
from realtime_bridge.webhooks.places import REQUESTS
from realtime_bridge.webhooks.queue.endpoints import Endpoints
from realtime_bridge.webhooks.queue.retention import WebhookJanitor
from realtime_bridge.webhooks.sender import WebhookSender
from realtime_bridge.webhooks.sink import WebhookSink
from realtime_bridge.wiring import observers as observation
from realtime_bridge.wiring import rollout as parts
from realtime_bridge.wiring.observers import Dialled
from realtime_bridge.wiring.rollout import Rollout
from realtime_bridge.wuzapi.client import WuzapiClient
from realtime_bridge.wuzapi.sender import Sender
from realtime_bridge.wuzapi.sink import WuzapiSink

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
    pool = db.pool(settings.database_url, name="bridge", size=POOL_SIZE)
    way = create_way(settings)
    transport = create_transport(settings, way)
    name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    legacy = create_legacy(settings, pool, name) if settings.feeds_legacy else None
    rollout = create_rollout(settings, pool, transport, legacy, name)
    clock = DatabaseClock()
    service = RealtimeService(transport, without_inbox=[CANARY_ID])
    relays = create_relays(settings, pool, service, way, legacy, name, rollout, clock)
    farewell = create_farewell(settings, legacy, rollout)
    heartbeat = create_heartbeat(settings, pool, relays, legacy, name, rollout, clock)
    observed = observation.create(
        settings,
        pool,
        name=name,
        legacy=legacy,
        transport=transport,
        sinks=[relay.sink for relay in relays if isinstance(relay.sink, CountedSink)],
        dialled=create_dialled(settings, rollout),
        delivers=lambda side: any(relay.lease for relay in relays if relay.sink.name == side),
        tell_unheard=create_teller(relays),
        way=way,
    )
    wuzapi = WuzapiClient()
    wuzapi_sender = create_wuzapi_sender(settings, pool, wuzapi)
    app: ASGIApp = create_http_app(pool, relays, legacy, way=way)
    door = Door(places())
    apps = [legacy.around(app) if legacy else app, create_metrics_app()]
    servers = [
        WebServer(app, door, host=address.host, port=address.port, fd=settings.listen_fds.get(address.port))
        for app, address in zip(apps, addresses(settings), strict=False)  # without a port, no metrics
    ]
    await pool.open()
    if legacy:
        await legacy.start()
    caller, sender = create_sender(settings, pool)
    delivering = _start(*(relay.run() for relay in relays))
    tasks = [
        *delivering,
        *_start(*(server.serve() for server in servers), *(part.run() for part in (sender, wuzapi_sender) if part)),
    ]
    helpers = _start(
        Wakeup(settings.database_url, [relay.wake for relay in relays]).run(),
        door.run(),
        Janitor(pool, retention_days=settings.event_retention_days).run(),
        *observed.parts,
        heartbeat.run(),
        *([legacy.run()] if legacy else []),
        *([farewell.run()] if farewell else []),
        *(rollout.runs if rollout else ()),
        *([Wakeup(settings.database_url, [rollout.keeper.wake], FAILURES_CHANNEL).run()] if rollout else []),
        WebhookJanitor(pool, retention_days=settings.event_retention_days).run(),
        *([Wakeup(settings.database_url, [sender.wake], DELIVERIES_CHANNEL).run()] if sender else []),
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
        if caller:
            await caller.close()
        await transport.close()
        await wuzapi.close()
        await pool.close()
        log.info("bridge stopped")


def create_way(settings: Settings) -> Way:
    """Return what is known of the way to Supabase's clients: nothing yet."""
    uses_http = settings.transport is TransportName.HTTP
    return Way(
        over_http=uses_http,
        has_seat=settings.knows_supabase and settings.feeds_supabase,
        rate=Rate(settings.supabase_rate),
        find_readers=None if uses_http else find_readers,
    )


def create_transport(settings: Settings, way: Way) -> Transport:
    """Return the transport that the settings ask for; HTTP also stands behind the database where it can."""
    http = HttpTransport(
        supabase_url=settings.supabase_url or "", secret_key=settings.supabase_secret_key or "", rate=way.rate
    )
    if settings.transport is TransportName.HTTP:
        return http
    database = DatabaseTransport(way)
    return FallbackTransport(way, database, http) if settings.knows_supabase else database


def create_legacy(settings: Settings, pool: Pool, name: str) -> socketio_server.LegacyServer:
    keys = ProjectKeys(
        f"{settings.supabase_url.rstrip('/')}{jwks.PATH}" if settings.supabase_url else None,
        own=[settings.signing_key.public] if settings.signing_key.public else [],
    )
    return socketio_server.create(
        verifier=TokenVerifier(settings.jwt_secret, keys, settings.token_rules),
        conversations=StoredConversations(pool, name),
        incoming=StoredIncoming(pool),
        standing=StoredStanding(pool),
        log=StoredLog(pool, name),
        redis_url=settings.redis_url,
        cors_origins=settings.cors_origins,
    )


def create_relays(
    settings: Settings,
    pool: Pool,
    service: RealtimeService,
    way: Way,
    legacy: socketio_server.LegacyServer | None,
    owner: str,
    rollout: Rollout | None,
    clock: DatabaseClock,
) -> list[Relay]:
    """Return one for webhooks in any case, and one for each side that is fed or, in a rollout, may be."""
    feeds: Mapping[Side, Feed] = rollout.feeds if rollout else {}
    relays = [Relay(sink=WebhookSink(), pool=pool, owner=owner)]
    if settings.feeds_supabase:
        relays.append(_counted(SupabaseSink(service, way), pool, owner, feeds, clock, way))
    if legacy:
        relays.append(_counted(LegacySink(legacy, StoredCards(pool)), pool, owner, feeds, clock))
    relays.append(Relay(sink=WuzapiSink(), pool=pool, owner=owner))
    if rollout:
        rollout.wake(relays)
    return relays


def _counted(
    sink: Sink, pool: Pool, owner: str, feeds: Mapping[Side, Feed], clock: DatabaseClock, echo: Echo | None = None
) -> Relay:
    """Return the relay of a side, whose deliveries are measured for the gate."""
    counted = CountedSink(sink, now=clock.now)
    relay = Relay(sink=counted, pool=pool, owner=owner, feed=feeds.get(Side(sink.name)), echo=echo)
    relay.tell_passed = counted.passed
    return relay


def create_rollout(
    settings: Settings, pool: Pool, transport: Transport, legacy: socketio_server.LegacyServer | None, name: str
) -> Rollout | None:
    """Return the dial and its keeper when CHAT_REALTIME_PROVIDER leaves it to them."""
    if settings.provider is not Provider.ROLLOUT:
        return None
    return parts.create(settings, pool, name=name, transport=transport, legacy=legacy, canary=CANARY_ID)


def create_heartbeat(
    settings: Settings,
    pool: Pool,
    relays: Sequence[Relay],
    legacy: socketio_server.LegacyServer | None,
    name: str,
    rollout: Rollout | None,
    clock: DatabaseClock,
) -> Heartbeat:
    """Return what reports this bridge; it reports at once when the dial has moved."""
    feeds = Feeds(relays, clock)

    def state() -> Report:
        reading = rollout.dial.reading if rollout else None
        return Report(
            bridge=name,
            provider=settings.provider.value,
            sinks=feeds.look(),
            feed_mode=settings.feed.value,
            version=reading.version if reading else None,
            has_canary=settings.canary is CanaryMode.ON,
        )

    sockets = legacy.sessions.count_by_user if legacy else dict[UUID, Sockets]
    heartbeat = Heartbeat(pool=pool, state=state, sockets=sockets, clock=clock)
    if rollout:
        rollout.dial.listen(heartbeat.wake)
    return heartbeat


def create_farewell(
    settings: Settings, legacy: socketio_server.LegacyServer | None, rollout: Rollout | None
) -> Farewell | None:
    """Return who closes the legacy sockets once the dial no longer feeds them."""
    if not legacy or not rollout:
        return None
    return Farewell(legacy, find_notice=rollout.farewell_notice, grace_s=settings.legacy_grace_s)


def create_dialled(settings: Settings, rollout: Rollout | None) -> Dialled:
    """Return what the observers ask: a pinned provider answers once and for all."""
    if rollout:
        return Dialled(
            feeds=rollout.fed, is_rolling_out=rollout.is_rolling_out, may_be_on_supabase=rollout.may_be_on_supabase
        )
    fed = {Side.LEGACY: settings.feeds_legacy, Side.SUPABASE: settings.feeds_supabase}
    return Dialled(
        feeds=lambda: [side for side in Side if fed[side]],
        is_rolling_out=lambda: False,
        may_be_on_supabase=lambda _user_id, _account_id: settings.feeds_supabase,
    )


def create_teller(relays: Sequence[Relay]) -> Callable[[int, str], Awaitable[None]]:
    """Return who is told how many probes failed in a row: the relay that feeds Supabase."""

    async def tell(count: int, reason: str) -> None:
        for relay in relays:
            if relay.sink.name == Side.SUPABASE:
                await relay.health.unheard(relay.lease, count, reason)

    return tell


def create_sender(settings: Settings, pool: Pool) -> tuple[Caller, WebhookSender] | tuple[None, None]:
    """Return what sends webhooks; nothing without a key to open their secrets, and the log says so."""
    if settings.secrets is None:
        log.warning("webhooks are queued but not sent", reason="Set CROSSFADE_SECRETS_KEY to send them.")
        return None, None
    caller = Caller(settings.webhook_urls, connections=REQUESTS, timeout_s=settings.webhook_timeout_s)
    return caller, WebhookSender(pool=pool, endpoints=Endpoints(settings.secrets), calls=caller)


def create_wuzapi_sender(settings: Settings, pool: Pool, client: WuzapiClient) -> Sender | None:
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
        memory.MemoryKeeper().start()
        garbage.collect_less()
        asyncio.run(run(settings))
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a sentence for whoever starts it, also before logging works
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
