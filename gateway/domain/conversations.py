"""What can be changed in a conversation and its messages, as frozen values: no HTTP, no SQL. Beside `domain`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from gateway.domain.messages import ConversationStatus, Direction, MessageStatus, MessageType
from realtime_bridge.event_log.event import EventType

PREVIEW_CHARS = 100  # as crossfade.preview cuts


class Unset(StrEnum):
    """Stands for a field that a request left out, which is not the same as null."""

    UNSET = "unset"


UNSET = Unset.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationState:
    """A conversation under its row lock: what an update stores, whole. `last_seq` is taken by the statement itself."""

    contact_jid: str
    contact_name: str | None
    status: str
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
class ConversationPatch:
    contact_jid: str | Unset = UNSET
    contact_name: str | Unset | None = UNSET
    status: ConversationStatus | Unset = UNSET
    snoozed_until: datetime | Unset | None = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Who is to answer. None takes the assignment away."""

    agent_id: UUID | Unset | None = UNSET
    bot_id: str | Unset | None = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    user_id: UUID
    role: str
    last_read_seq: int
    representation: str

    @property
    def is_owner(self) -> bool:
        return self.role == "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A message under its conversation's lock. `is_unread` and `is_newest` say what the conversation shows of it."""

    id: int
    seq: int
    version: int
    status: str
    provider_message_id: str | None
    direction: str
    content: str
    message_type: str
    metadata: dict[str, Any]
    attachments: list[dict[str, Any]]
    is_deleted: bool
    is_unread: bool
    representation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """`metadata` is a JSON object's text, or left as it is."""

    content: str
    metadata: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """What an edit or a deletion leaves of a message."""

    event_type: EventType
    content: str
    metadata: str
    attachments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedMessage:
    """One message of somewhere else, with the time it had there. `index` is its place in the request."""

    index: int
    content: str
    message_type: MessageType
    direction: Direction
    status: MessageStatus
    created_at: datetime
    client_message_id: str | None
    provider_message_id: str | None
    sender_id: str | None
    reply_to_id: int | None
    metadata: str

    @property
    def preview(self) -> str:
        return self.content[:PREVIEW_CHARS] or f"[{self.message_type}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A representation as JSON text, and the strong ETag of the row behind it."""

    representation: str
    etag: str


def conversation_etag(conversation_id: int, last_seq: int) -> str:
    """Every change of a conversation takes a number, so the number names its state."""
    return f'"c{conversation_id}-{last_seq}"'


def message_etag(message_id: int, version: int) -> str:
    return f'"m{message_id}-{version}"'
