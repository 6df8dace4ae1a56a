"""Observers of both sides, and bearers of signs between them. Seats, canary, probe, ephemeral bridge, samples, lag.

Called by `__main__` only, and part of its wiring: everything here gets what it needs as arguments.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from realtime_bridge.ephemeral.api_signs import ApiSigns
from realtime_bridge.ephemeral.crossing import EphemeralBridge
from realtime_bridge.ephemeral.members import StoredMembers
from realtime_bridge.ephemeral.presence import TIMEOUT_S, MemoryLeases, RedisLeases
from realtime_bridge.fleet import reports
from realtime_bridge.legacy.socketio.server import LegacyServer
from realtime_bridge.parity.canary import Canary
from realtime_bridge.parity.ears import Ear, Hear, LegacyEar, SupabaseEar
from realtime_bridge.parity.ledger import Ledger
from realtime_bridge.parity.loop_lag import LoopLag
from realtime_bridge.parity.samples import Samples
from realtime_bridge.parity.tally import Tally
from realtime_bridge.relay.lag import Lag
from realtime_bridge.rollout.dial.stages import FLAG, Side
from realtime_bridge.settings import CanaryMode, Settings, TransportName
from realtime_bridge.shared.canary_user import CANARY_ID
from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.tokens import mint_role_key, mint_user_token
from realtime_bridge.supabase.connection import TOKEN_TTL_S
from realtime_bridge.supabase.probe.pace import Pace
from realtime_bridge.supabase.probe.path import over_http, through_database
from realtime_bridge.supabase.probe.watch import Watch, topic_of
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.seats import Seats
from realtime_bridge.supabase.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """What the parts here ask of the dial, whenever they need it."""

    feeds: Callable[[], Iterable[Side]]
    is_rolling_out: Callable[[], bool]
    may_be_on_supabase: Callable[[UUID, UUID], bool]
    """For a user of an account."""


@dataclass(slots=True)
class Observation:
    """`parts` are run beside the relays until the bridge stops."""

    parts: list[Coroutine[Any, Any, object]] = field(default_factory=list)
    seats: list[Seats] = field(default_factory=list)
    redis: Redis | None = None

    async def close(self) -> None:
        if self.redis:
            await self.redis.aclose()


def create(
    settings: Settings,
    pool: Pool,
    *,
    name: str,
    legacy: LegacyServer | None,
    transport: Transport,
    tallies: Sequence[Tally],
    dialled: Dialled,
    delivers: Callable[[Side], bool],
    tell_unheard: Callable[[int, str], Awaitable[None]],
    way: Way,
) -> Observation:
    """Return the parts for what the settings name: without a Supabase URL and key there is nowhere to sit.

    `delivers` says whether this bridge holds the lease of a side's sink now; `tell_unheard` takes the number of probes
    that failed in a row, and the reason.
    """
    made = Observation()
    ledger = Ledger()
    if settings.knows_supabase and settings.feeds_supabase:
        service = _seats(settings, lambda: mint_role_key(settings.signing_key, "service_role", TOKEN_TTL_S))
        made.seats.append(service)
        if legacy:
            made.parts.append(_ephemeral(settings, pool, made, service, legacy, dialled, name).run())
        pace = Pace(
            is_rolling_out=dialled.is_rolling_out,
            last_sent_at=lambda: way.asked_at,
            heard_until=lambda: way.heard_until,
            idle_s=float(settings.idle_probe_s),
        )
        watch = Watch(
            seats=service,
            name=name,
            way=way,
            send_to_database=None
            if settings.transport is TransportName.HTTP
            else through_database(pool, topic_of(name)),
            send_over_http=over_http(partial(transport.send, connection=None), topic_of(name)),
            pace=pace,
            is_wanted=lambda: Side.SUPABASE in dialled.feeds() and delivers(Side.SUPABASE),
            tell=tell_unheard,
        )
        made.parts.append(watch.run())
    if legacy:
        signs = ApiSigns(
            database_url=settings.database_url,
            pool=pool,
            transport=transport,
            deliver=legacy.deliver_unstored,
            speaks_for_supabase=lambda: Side.SUPABASE in dialled.feeds() and delivers(Side.SUPABASE),
        )
        made.parts.append(signs.run())
    if settings.canary is CanaryMode.ON:
        made.parts.append(_canary(settings, made, legacy, ledger, dialled, name).run())
    lag = LoopLag()

    def lags_count_for() -> list[Side]:
        return [side for side in Side if delivers(side)] if dialled.is_rolling_out() else []

    samples = Samples(pool=pool, flag=FLAG, ledger=ledger, tallies=tallies, lag=lag, lags_count_for=lags_count_for)
    made.parts += [lag.run(), samples.run()]
    made.parts.append(Lag(pool, lambda: _connections(made, legacy)).run())
    made.parts += [seats.run() for seats in made.seats]
    return made


def _seats(settings: Settings, token: Callable[[], str]) -> Seats:
    return Seats(supabase_url=settings.supabase_url or "", secret_key=settings.supabase_secret_key or "", token=token)


def _ephemeral(
    settings: Settings,
    pool: Pool,
    made: Observation,
    seats: Seats,
    legacy: LegacyServer,
    dialled: Dialled,
    name: str,
) -> EphemeralBridge:
    if settings.redis_url:
        made.redis = Redis.from_url(settings.redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    bridge = EphemeralBridge(
        channels=seats,
        leases=RedisLeases(made.redis) if made.redis else MemoryLeases(),
        members=StoredMembers(pool),
        deliver=legacy.deliver_unstored,
        may_be_on_supabase=dialled.may_be_on_supabase,
        name=name,
    )
    legacy.watch(bridge)
    return bridge


def _canary(
    settings: Settings, made: Observation, legacy: LegacyServer | None, ledger: Ledger, dialled: Dialled, name: str
) -> Canary:
    def token() -> str:
        return mint_user_token(settings.signing_key, CANARY_ID, TOKEN_TTL_S, settings.token_rules)

    seats = _seats(settings, token) if settings.knows_supabase and settings.feeds_supabase else None
    if seats:
        made.seats.append(seats)

    def ears(conversation_id: int, hear: Hear) -> list[Ear]:
        pair: list[Ear] = []
        if seats:
            pair.append(SupabaseEar(seats, conversation_id, hear))
        if legacy:
            url = f"http://127.0.0.1:{settings.port}"
            pair.append(
                LegacyEar(bridge_url=url, path=legacy.path, token=token, conversation_id=conversation_id, hear=hear)
            )
        return pair

    return Canary(
        database_url=settings.database_url,
        ears=ears,
        feeds=dialled.feeds,
        rate_per_s=lambda: settings.canary_rate_per_s if dialled.is_rolling_out() else 1 / settings.idle_probe_s,
        ledger=ledger,
        is_for_others=partial(reports.has_outsider, bridge=name),
    )


def _connections(made: Observation, legacy: LegacyServer | None) -> dict[str, int]:
    return {
        Side.LEGACY: legacy.socket_count if legacy else 0,
        Side.SUPABASE: sum(seats.connection_count for seats in made.seats),
    }
