"""Decision on what a user is told, and why.

Pure: the dial's reading in, a decision out; the same in gateway, bridge and SDK.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from realtime_bridge.rollout.dial.bucket import bucket_of
from realtime_bridge.rollout.dial.stages import Stage, StageName
from realtime_bridge.shared.variables import Told


class Source(StrEnum):
    """What decided."""

    PIN = "pin"  # CHAT_REALTIME_PROVIDER
    STAGE = "stage"  # the stage leaves no choice
    OVERRIDE = "override"  # of the user, else of the account
    BUCKET = "bucket"
    FLAG_PROVIDER = "flag_provider"  # CROSSFADE_FLAG_PROVIDER


class Kind(StrEnum):
    USER = "user"
    ACCOUNT = "account"


Overrides = Mapping[tuple[Kind, UUID], Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    provider: Told
    source: Source
    stage: Stage
    bucket: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The dial at one moment."""

    flag: str
    stage: Stage
    version: int
    revision: int
    since: datetime
    overrides: Overrides = field(default_factory=dict, repr=False)

    def decide(self, user_id: UUID, account_id: UUID, ask: Callable[[UUID, UUID], Told] | None = None) -> Decision:
        """Return what this user of this account is told; in a ramp `ask`, if given, stands in for the bucket.

        A stage that does not feed a side sends nobody there, whatever an override or a foreign provider says.
        """
        bucket = bucket_of(self.flag, user_id)
        source, provider = self._choose(user_id, account_id, bucket, ask)
        return Decision(provider=provider, source=source, stage=self.stage, bucket=bucket, version=self.version)

    def _choose(
        self, user_id: UUID, account_id: UUID, bucket: int, ask: Callable[[UUID, UUID], Told] | None
    ) -> tuple[Source, Told]:
        if self.stage.name is StageName.OFF:
            return Source.STAGE, Told.SOCKETIO
        if self.stage.name is StageName.COMPLETE:
            return Source.STAGE, Told.SUPABASE
        for subject in ((Kind.USER, user_id), (Kind.ACCOUNT, account_id)):
            if override := self.overrides.get(subject):
                return Source.OVERRIDE, override
        if self.stage.name is StageName.SHADOW:
            return Source.STAGE, Told.SOCKETIO
        if ask is not None:
            return Source.FLAG_PROVIDER, ask(user_id, account_id)
        return Source.BUCKET, Told.SUPABASE if bucket < self.stage.buckets else Told.SOCKETIO
