"""The relays of a bridge, one for each sink that it feeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from realtime_bridge.event_log.reading import Pages
from realtime_bridge.event_log.wakeup import CHANNEL, DELIVERIES_CHANNEL, FAILURES_CHANNEL, Wake, Wakeup
from realtime_bridge.fleet.clock import DatabaseClock
from realtime_bridge.fleet.heartbeat import Feeds, Heartbeat
from realtime_bridge.fleet.reports import Report
from realtime_bridge.fleet.sockets import Sockets
from realtime_bridge.legacy.cards import StoredCards
from realtime_bridge.legacy.sink import LegacySink
from realtime_bridge.legacy.socketio.server import LegacyServer
from realtime_bridge.relay.loop import Relay
from realtime_bridge.relay.sink import Feed, Listener, Sink
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.settings import CanaryMode, Settings
from realtime_bridge.shared.database import Pool
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.sink import RealtimeService, SupabaseSink
from realtime_bridge.webhooks.sender import WebhookSender
from realtime_bridge.webhooks.sink import WebhookSink
from realtime_bridge.wiring.rollout import Rollout
from realtime_bridge.wuzapi.sink import WuzapiSink


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What sinks are made of."""

    settings: Settings
    pool: Pool
    service: RealtimeService
    way: Way
    legacy: LegacyServer | None


SINKS: Mapping[str, Callable[[Parts], Sink | None]] = {
    SupabaseSink.name: lambda at: SupabaseSink(at.service, at.way) if at.settings.feeds_supabase else None,
    LegacySink.name: lambda at: LegacySink(at.legacy, StoredCards(at.pool)) if at.legacy else None,
    WebhookSink.name: lambda _: WebhookSink(),
    WuzapiSink.name: lambda _: WuzapiSink(),
}
"""By name, whatever a bridge may deliver to; None where it is not fed. A cursor is made when its sink is first held."""


def create_relays(
    settings: Settings,
    pool: Pool,
    service: RealtimeService,
    way: Way,
    legacy: LegacyServer | None,
    owner: str,
    rollout: Rollout | None,
    tallies: Mapping[Side, Listener],
) -> list[Relay]:
    """Return one for each side that is fed or, in a rollout, may be, and one for each sink that is no side."""
    at = Parts(settings=settings, pool=pool, service=service, way=way, legacy=legacy)
    feeds: Mapping[Side, Feed] = rollout.feeds if rollout else {}
    relays, pages = [], Pages()
    for make in SINKS.values():
        if (sink := make(at)) is None:
            continue
        side = next((side for side in Side if side == sink.name), None)
        relay = Relay(
            sink=sink,
            pool=pool,
            owner=owner,
            feed=feeds.get(side) if side else None,
            echo=way if side is Side.SUPABASE else None,
            listener=tallies[side] if side else None,
            interest=getattr(sink, "interest", None),
            pages=pages,
        )
        relays.append(relay)
        if rollout:  # it looks at once when the dial moves, also when it waits after a failure
            rollout.dial.listen(relay.retry)
    return relays


def create_wakeup(
    settings: Settings, relays: Sequence[Relay], rollout: Rollout | None, sender: WebhookSender | None
) -> Wakeup:
    """Return what wakes them all, on one connection."""
    wakers: dict[str, Sequence[Wake]] = {
        CHANNEL: [relay.wake for relay in relays],
        FAILURES_CHANNEL: [rollout.keeper.wake] if rollout else [],
        DELIVERIES_CHANNEL: [sender.wake] if sender else [],
    }
    heard = {channel: wakes for channel, wakes in wakers.items() if wakes}
    return Wakeup(settings.database_url, heard, [relay.grown for relay in relays])


def create_heartbeat(
    settings: Settings,
    pool: Pool,
    relays: Sequence[Relay],
    legacy: LegacyServer | None,
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
