"""WhatsApp channels. Plain frozen values."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChannel:
    """A messenger's server that is to speak for the account. Without `hmac_key` one is made."""

    kind: str
    name: str
    base_url: str
    token: str = field(repr=False)
    hmac_key: str | None = field(repr=False)
    provider_user_id: str | None
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelChange:
    """What is None stays as it is."""

    base_url: str | None
    token: str | None = field(repr=False)
    hmac_key: str | None = field(repr=False)
    provider_user_id: str | None
    clears_provider_user_id: bool
    enabled: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What may be shown of a channel; its secrets are not among it."""

    id: UUID
    kind: str
    name: str
    base_url: str
    provider_user_id: str | None
    enabled: bool
    consecutive_failures: int
    last_error: str | None
    last_error_at: datetime | None
    created_at: datetime
    updated_at: datetime
