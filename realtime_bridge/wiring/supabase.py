"""The way to Supabase, put together from the settings."""

from collections.abc import Awaitable, Callable, Sequence

from realtime_bridge.relay.loop import Relay
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.settings import Settings, TransportName
from realtime_bridge.supabase.database import DatabaseTransport
from realtime_bridge.supabase.http import HttpTransport
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.transport import Transport


def create_transport(settings: Settings, way: Way) -> Transport:
    """Return the transport that the settings ask for; HTTP also stands behind the database where it can."""
    http = HttpTransport(
        supabase_url=settings.supabase_url or "", secret_key=settings.supabase_secret_key or "", rate=way.rate
    )
    if settings.transport is TransportName.HTTP:
        return http
    return DatabaseTransport(way, http if settings.knows_supabase else None)


def create_teller(relays: Sequence[Relay]) -> Callable[[int, str], Awaitable[None]]:
    """Return who is told how many probes failed in a row: the relay that feeds Supabase."""

    async def tell(count: int, reason: str) -> None:
        for relay in relays:
            if relay.sink.name == Side.SUPABASE:
                await relay.health.unheard(relay.lease, count, reason)

    return tell
