"""Rollout in a bridge (CHAT_REALTIME_PROVIDER=rollout): dial, feeds and keeper. Part of the wiring of `__main__`."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from realtime_bridge.legacy.socketio.server import LegacyServer
from realtime_bridge.relay.sink import Feed
from realtime_bridge.rollout import announcer
from realtime_bridge.rollout.announcer import Announcer
from realtime_bridge.rollout.dial import flag_source
from realtime_bridge.rollout.dial.errors import FlagProviderError
from realtime_bridge.rollout.dial.follower import Dial
from realtime_bridge.rollout.dial.stages import Side, StageName
from realtime_bridge.rollout.feeds import CohortFeed, DialFeed
from realtime_bridge.rollout.keeper import GateKeeper
from realtime_bridge.settings import FeedMode, Settings
from realtime_bridge.shared.canary_user import CANARY_ID
from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.environment import ConfigurationError
from realtime_bridge.shared.variables import Provider, Told
from realtime_bridge.supabase.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    dial: Dial
    keeper: GateKeeper
    feeds: dict[Side, Feed]
    ask: flag_source.Ask | None

    def fed(self) -> list[Side]:
        """Return the sides that are fed now; none before the dial was read."""
        reading = self.dial.reading
        return sorted(reading.stage.feeds) if reading else []

    def is_rolling_out(self) -> bool:
        reading = self.dial.reading
        return reading is not None and reading.stage.name in (StageName.SHADOW, StageName.RAMP)

    def farewell_notice(self) -> dict[str, object] | None:
        """Return what legacy sockets are told once they are fed no more; None as long as they are."""
        reading = self.dial.reading
        if reading is None or Side.LEGACY in reading.stage.feeds:
            return None
        return announcer.notice(reading, uuid4())

    def may_be_on_supabase(self, user_id: UUID, account_id: UUID) -> bool:
        reading = self.dial.reading
        return reading is not None and reading.decide(user_id, account_id, self.ask).provider is Told.SUPABASE


@dataclass(frozen=True, slots=True)
class Pinned:
    """A provider that no dial moves: it answers the observers once and for all."""

    settings: Settings

    def fed(self) -> list[Side]:
        fed = {Side.LEGACY: self.settings.feeds_legacy, Side.SUPABASE: self.settings.feeds_supabase}
        return [side for side in Side if fed[side]]

    def is_rolling_out(self) -> bool:
        return False

    def may_be_on_supabase(self, _user_id: UUID, _account_id: UUID) -> bool:
        return self.settings.feeds_supabase


def create_rollout(
    settings: Settings, pool: Pool, transport: Transport, legacy: LegacyServer | None, name: str
) -> Rollout | None:
    """Return the dial and its keeper when CHAT_REALTIME_PROVIDER leaves it to them.

    Raises ConfigurationError for a flag provider that is not there.
    """
    if settings.provider is not Provider.ROLLOUT:
        return None
    try:
        ask = flag_source.load(settings.flag_provider) if settings.flag_provider else None
    except FlagProviderError as error:
        raise ConfigurationError(str(error)) from error
    dial = Dial(settings.database_url)
    announced_by = Announcer(pool, transport=transport, legacy=legacy, ask=ask)
    return Rollout(
        dial=dial,
        keeper=GateKeeper(pool=pool, dial=dial, announcer=announced_by, owner=name),
        feeds={
            Side.LEGACY: DialFeed(dial, Side.LEGACY),
            Side.SUPABASE: CohortFeed(dial, always=lambda event: event.account_id == CANARY_ID)
            if settings.feed is FeedMode.COHORT
            else DialFeed(dial, Side.SUPABASE),
        },
        ask=ask,
    )
