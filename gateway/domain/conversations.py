"""Conversations and what changes in them. Plain frozen values: no HTTP, no SQL."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class ConversationStatus(StrEnum):
    OPEN = "open"
    PENDING = "pending"
    RESOLVED = "resolved"
    SNOOZED = "snoozed"


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Role(StrEnum):
    """What a participant other than the owner may be; the owner is the account itself."""

    AGENT = "agent"
    CLIENT = "client"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewParticipant:
    user_id: UUID
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConversation:
    contact_jid: str
    contact_name: str | None = None
    channel: str = "api"
    status: ConversationStatus = ConversationStatus.OPEN
    priority: Priority = Priority.NORMAL
    assigned_agent_id: UUID | None = None
    assigned_bot_id: str | None = None
    participants: tuple[NewParticipant, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFilter:
    status: ConversationStatus | None = None
    priority: Priority | None = None
    assigned_to: UUID | None = None
    channel: str | None = None
    unread: bool | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationState:
    """A conversation under its row lock: what an update stores, whole. `last_seq` is taken by the statement itself."""

    contact_jid: str
    contact_name: str | None
    status: str
    priority: str
    snoozed_until: datetime | None
    assigned_agent_id: UUID | None
    assigned_bot_id: str | None
    last_message_at: datetime | None
    last_message_preview: str | None
    unread_count: int
    read_seq: int
    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    user_id: UUID
    role: str
    representation: str


def conversation_etag(conversation_id: int, last_seq: int) -> str:
    """Every change of a conversation takes a number, so the number names its state."""
    return f'"c{conversation_id}-{last_seq}"'
