"""What the gateway talks about. Plain frozen values: no HTTP, no SQL."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from realtime_bridge.shared.signing_key import SigningKey
from realtime_bridge.shared.tokens import NO_RULES, TokenRules


class Scope(StrEnum):
    READ = "chat:read"
    WRITE = "chat:write"
    KEYS = "keys:manage"
    WEBHOOKS = "webhooks:manage"
    SESSION = "realtime:session"
    """Make tokens in the name of users: for a backend that knows who is signed in."""


class ConversationStatus(StrEnum):
    OPEN = "open"
    PENDING = "pending"
    RESOLVED = "resolved"
    SNOOZED = "snoozed"


class UserScope(StrEnum):
    """Whom accounts may name: `crossfade users scope`."""

    LISTED = "listed"
    EVERYBODY = "everybody"


class Role(StrEnum):
    """What a participant other than the owner may be; the owner is the account itself."""

    AGENT = "agent"
    CLIENT = "client"
    SUPERVISOR = "supervisor"


class Direction(StrEnum):
    INCOMING = "incoming"
    OUTGOING = "outgoing"


class MessageType(StrEnum):
    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"


class MessageStatus(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"

    def may_become(self, wanted: "MessageStatus") -> bool:
        """Forward only: pending, sent, delivered, read; failed only before anything was delivered."""
        if wanted is MessageStatus.FAILED:
            return self in (MessageStatus.PENDING, MessageStatus.SENT)
        return self is not MessageStatus.FAILED and _PROGRESS.index(wanted) > _PROGRESS.index(self)


_PROGRESS = (MessageStatus.PENDING, MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """`content_html`: whether content goes out with its safe form. `updated_at` is None for who never chose."""

    id: UUID
    content_html: bool
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPage:
    items: tuple[ApiKey, ...]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewParticipant:
    user_id: UUID
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConversation:
    contact_jid: str
    contact_name: str | None
    channel: str
    status: ConversationStatus
    assigned_agent_id: UUID | None
    assigned_bot_id: str | None
    participants: tuple[NewParticipant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """`metadata` is a JSON object's text, because Postgres is the next to read it."""

    content: str
    message_type: MessageType
    direction: Direction
    client_message_id: str | None
    sender_id: str | None
    reply_to_id: int | None
    metadata: str
    attachment_ids: tuple[UUID, ...] = ()

    @property
    def first_status(self) -> MessageStatus:
        """What others sent has arrived; what we send is on its way."""
        return MessageStatus.PENDING if self.direction is Direction.OUTGOING else MessageStatus.DELIVERED


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    status: MessageStatus
    provider_message_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a page of conversations ended: the sort time in microseconds since 1970, and the id."""

    sort_us: int
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFilter:
    status: ConversationStatus | None = None
    assigned_to: UUID | None = None
    channel: str | None = None
    unread: bool | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFilter:
    """Messages with all of these words; the last one may be only the beginning of a word."""

    words: str
    conversation_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Representations as JSON text, straight from the database. `last` is the position of the last one shown."""

    items: tuple[str, ...]
    total: int
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationPage(Page):
    last: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """Newest first, and not counted: counting would find all that the page need not."""

    items: tuple[str, ...]
    has_more: bool
    last: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage(Page):
    """Ascending; `first_seq` and `last_seq` are its ends."""

    first_seq: int | None
    last_seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    """Oldest first; `last` is the version of the last one shown."""

    items: tuple[str, ...]
    has_more: bool
    last: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What a send answered: the message's JSON text, and whether an earlier send with the same id stored it."""

    representation: str
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Where clients reach the two sides, and how their tokens are signed; what is None is not configured."""

    supabase_url: str | None = None
    supabase_public_key: str | None = None
    legacy_url: str | None = None
    signing_key: SigningKey | None = None
    token_rules: TokenRules = NO_RULES
    session_ttl_s: int = 900


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
