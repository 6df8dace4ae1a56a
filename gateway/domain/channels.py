"""WhatsApp channels. Plain frozen values."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


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
