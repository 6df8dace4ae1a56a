"""API keys and their scopes. Plain frozen values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID


class Scope(StrEnum):
    READ = "chat:read"
    WRITE = "chat:write"
    KEYS = "keys:manage"
    WEBHOOKS = "webhooks:manage"
    SESSION = "realtime:session"
    """Make tokens in the name of users: for a backend that knows who is signed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One row of `chat_api_keys`: whose data it opens, and how often per minute (None = the deployment's default)."""

    id: str
    account_id: UUID
    name: str
    env: str
    prefix: str
    secret_hash: bytes = field(repr=False)
    scopes: tuple[str, ...]
    rate_limit: int | None
    send_rate_limit: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None = None
    account_rate_limit: int | None = None
    """The highest limit that a working key of the account was given; None when none has one of its own."""
    account_send_rate_limit: int | None = None
    wants_html: bool = False
    """Whether the account asked for the safe form of content."""

    def has_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    @property
    def state(self) -> str:
        """`active`, `expired` or `revoked`, at this moment."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.has_expired(datetime.now(UTC)) else "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    name: str
    scopes: Sequence[str]
    rate_limit: int | None = None
    send_rate_limit: int | None = None
    expires_at: datetime | None = None
