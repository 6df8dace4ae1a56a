"""Observers of both sides, and bearers of signs between them. Seats, canary, probe, ephemeral bridge, samples, lag.

Called by `__main__` only, and part of its wiring: everything here gets what it needs as arguments.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from redis.asyncio import Redis

from realtime_bridge.ephemeral.api_signs import CHANNEL as SIGNS_CHANNEL
from realtime_bridge.ephemeral.api_signs import ApiSigns
from realtime_bridge.ephemeral.crossing import EphemeralBridge
from realtime_bridge.ephemeral.members import StoredMembers
from realtime_bridge.ephemeral.presence import TIMEOUT_S, MemoryLeases, RedisLeases
from realtime_bridge.event_log.wakeup import Wakeup
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
from realtime_bridge.wiring.rollout import Pinned, Rollout


@dataclass(slots=True, kw_only=True)
class Observers:
    """For what the settings name: without a Supabase URL and key there is nowhere to sit.

    `delivers` says whether this bridge holds the lease of a side's sink now; `tell_unheard` takes the number of probes
    that failed in a row, and the reason.
    """

    settings: Settings
    pool: Pool
    name: str
    legacy: LegacyServer | None
    transport: Transport
    tallies: Sequence[Tally]
    dial: Rollout | Pinned
    delivers: Callable[[Side], bool]
    tell_unheard: Callable[[int, str], Awaitable[None]]
    way: Way
    ledger: Ledger = field(default_factory=Ledger)
    seats: list[Seats] = field(default_factory=list)
    redis: Redis | None = None

    def create(self, wakeup: Wakeup) -> list[Coroutine[Any, Any, object]]:
        """Return what is run beside the relays until the bridge stops; some of it `wakeup` wakes."""
        parts: list[Coroutine[Any, Any, object]] = []
        if self.settings.has_seat:
            service = self._sit(lambda: mint_role_key(self.settings.signing_key, "service_role", TOKEN_TTL_S))
            if self.legacy:
                parts.append(self._ephemeral(service, self.legacy).run())
            parts.append(self._watch(service).run())
        if self.legacy:
            signs = ApiSigns(
                pool=self.pool,
                transport=self.transport,
                deliver=self.legacy.deliver_unstored,
                speaks_for_supabase=self._delivers_to_supabase,
            )
            wakeup.wakers[SIGNS_CHANNEL] = [signs.hear]
            parts.append(signs.run())
        if self.settings.canary is CanaryMode.ON:
            parts.append(self._canary().run())
        lag = LoopLag()
        samples = Samples(
            pool=self.pool,
            flag=FLAG,
            ledger=self.ledger,
            tallies=self.tallies,
            lag=lag,
            lags_count_for=lambda: filter(self.delivers, Side) if self.dial.is_rolling_out() else (),
        )
        parts += [lag.run(), samples.run(), Lag(self.pool, self._connections).run()]
        return [*parts, *(seats.run() for seats in self.seats)]

    async def close(self) -> None:
        if self.redis:
            await self.redis.aclose()

    def _sit(self, token: Callable[[], str]) -> Seats:
        url, key = self.settings.supabase_url or "", self.settings.supabase_secret_key or ""
        self.seats.append(Seats(supabase_url=url, secret_key=key, token=token))
        return self.seats[-1]

    def _delivers_to_supabase(self) -> bool:
        return Side.SUPABASE in self.dial.fed() and self.delivers(Side.SUPABASE)

    def _watch(self, seats: Seats) -> Watch:
        pace = Pace(
            is_rolling_out=self.dial.is_rolling_out,
            last_sent_at=lambda: self.way.asked_at,
            heard_until=lambda: self.way.heard_until,
            idle_s=float(self.settings.idle_probe_s),
        )
        topic, is_http = topic_of(self.name), self.settings.transport is TransportName.HTTP
        return Watch(
            seats=seats,
            name=self.name,
            way=self.way,
            send_to_database=None if is_http else through_database(self.pool, topic),
            send_over_http=over_http(partial(self.transport.send, connection=None), topic),
            pace=pace,
            is_wanted=self._delivers_to_supabase,
            tell=self.tell_unheard,
        )

    def _ephemeral(self, seats: Seats, legacy: LegacyServer) -> EphemeralBridge:
        if self.settings.redis_url:
            url = self.settings.redis_url
            self.redis = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        bridge = EphemeralBridge(
            channels=seats,
            leases=RedisLeases(self.redis) if self.redis else MemoryLeases(),
            members=StoredMembers(self.pool),
            deliver=legacy.deliver_unstored,
            may_be_on_supabase=self.dial.may_be_on_supabase,
            name=self.name,
        )
        legacy.watch(bridge)
        return bridge

    def _canary(self) -> Canary:
        settings = self.settings

        def token() -> str:
            return mint_user_token(settings.signing_key, CANARY_ID, TOKEN_TTL_S, settings.token_rules)

        seats = self._sit(token) if settings.has_seat else None

        def ears(conversation_id: int, hear: Hear) -> list[Ear]:
            pair: list[Ear] = []
            if seats:
                pair.append(SupabaseEar(seats, conversation_id, hear))
            if self.legacy:
                url, path = f"http://127.0.0.1:{settings.port}", self.legacy.path
                ear = LegacyEar(bridge_url=url, path=path, token=token, conversation_id=conversation_id, hear=hear)
                pair.append(ear)
            return pair

        return Canary(
            database_url=settings.database_url,
            ears=ears,
            feeds=self.dial.fed,
            rate_per_s=lambda: settings.canary_rate_per_s if self.dial.is_rolling_out() else 1 / settings.idle_probe_s,
            ledger=self.ledger,
            is_for_others=partial(reports.has_outsider, bridge=self.name),
        )

    def _connections(self) -> dict[str, int]:
        return {
            Side.LEGACY: self.legacy.socket_count if self.legacy else 0,
            Side.SUPABASE: sum(seats.connection_count for seats in self.seats),
        }
