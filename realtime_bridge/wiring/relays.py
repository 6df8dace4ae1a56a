"""The relays of a bridge, one for each sink that it feeds."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from realtime_bridge.fleet.clock import DatabaseClock
from realtime_bridge.fleet.heartbeat import Feeds, Heartbeat
from realtime_bridge.fleet.reports import Report
from realtime_bridge.fleet.sockets import Sockets
from realtime_bridge.legacy.cards import StoredCards
from realtime_bridge.legacy.sink import LegacySink
from realtime_bridge.legacy.socketio import server
from realtime_bridge.parity.counting_sink import CountedSink
from realtime_bridge.relay.heard import Echo
from realtime_bridge.relay.loop import Relay
from realtime_bridge.relay.sink import Feed, Sink
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.settings import CanaryMode, Settings
from realtime_bridge.shared.database import Pool
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.sink import RealtimeService, SupabaseSink
from realtime_bridge.webhooks.sink import WebhookSink
from realtime_bridge.wiring.rollout import Rollout
from realtime_bridge.wuzapi.sink import WuzapiSink


def create_relays(
    settings: Settings,
    pool: Pool,
    service: RealtimeService,
    way: Way,
    legacy: server.LegacyServer | None,
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


def create_heartbeat(
    settings: Settings,
    pool: Pool,
    relays: Sequence[Relay],
    legacy: server.LegacyServer | None,
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
    take_gone = legacy.sessions.take_gone if legacy else set[UUID]
    heartbeat = Heartbeat(pool=pool, state=state, sockets=sockets, take_gone=take_gone, clock=clock)
    if rollout:
        rollout.dial.listen(heartbeat.wake)
    return heartbeat
