"""Provider that a client is told to use. Pinned by CHAT_REALTIME_PROVIDER, or by the dial that each worker follows."""

from dataclasses import dataclass
from uuid import UUID

from gateway.errors import ServiceUnavailable
from realtime_bridge.rollout.dial import flag_source
from realtime_bridge.rollout.dial.bucket import bucket_of
from realtime_bridge.rollout.dial.decision import Source
from realtime_bridge.rollout.dial.errors import FlagProviderError
from realtime_bridge.rollout.dial.follower import Dial, DialThread
from realtime_bridge.rollout.dial.stages import FLAG, Side
from realtime_bridge.shared.environment import ConfigurationError
from realtime_bridge.shared.variables import Provider, Told

PINNED = {  # legacy first: feeding both sides moves nobody
    Provider.SOCKETIO: Told.SOCKETIO,
    Provider.SUPABASE: Told.SUPABASE,
    Provider.DUAL: Told.SOCKETIO,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a client is told and why; a pin has no stage, no percentage and no version."""

    provider: Told
    source: Source
    bucket: int
    has_standby: bool = False
    """Whether both sides are fed, so that a client that listens on both misses nothing whichever fails."""
    stage: str | None = None
    percentage: float | None = None
    version: int | None = None


class ProviderChoice:
    """Decides from memory. Started after the fork, stopped when the worker leaves; a pinned one does nothing."""

    def __init__(self, provider: Provider, database_url: str, flag_provider: str | None = None) -> None:
        """Raise ConfigurationError for a flag provider that is not there."""
        self._provider = provider
        self._thread = None if provider in PINNED else DialThread(Dial(database_url))
        try:
            self._ask = flag_source.load(flag_provider) if flag_provider and self._thread else None
        except FlagProviderError as error:
            raise ConfigurationError(str(error)) from error

    def start(self) -> None:
        if self._thread:
            self._thread.start()

    def stop(self) -> None:
        if self._thread:
            self._thread.stop()

    def decide(self, user_id: UUID, account_id: UUID) -> Choice:
        """Return the newest known answer; ServiceUnavailable only before the dial was read once."""
        if pinned := PINNED.get(self._provider):
            both = self._provider is Provider.DUAL
            return Choice(provider=pinned, source=Source.PIN, bucket=bucket_of(FLAG, user_id), has_standby=both)
        reading = self._thread.dial.reading if self._thread else None
        if reading is None:
            raise ServiceUnavailable("Try again in a moment.")
        decision = reading.decide(user_id, account_id, self._ask)
        return Choice(
            provider=decision.provider,
            source=decision.source,
            bucket=decision.bucket,
            has_standby=decision.stage.feeds == frozenset(Side),
            stage=decision.stage.name.value,
            percentage=decision.stage.percentage,
            version=decision.version,
        )
