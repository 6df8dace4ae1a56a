"""Messages and what changes in them. Plain frozen values: no HTTP, no SQL."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.domain.conflicts import ProviderIdConflict, StatusConflict
from realtime_bridge.event_log.append import NewMessage
from realtime_bridge.event_log.event import EventType


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
class StatusChange:
    status: MessageStatus
    provider_message_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFilter:
    """Messages with all of these words; the last one may be only the beginning of a word."""

    words: str
    conversation_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What a send answered: the message's JSON text, and whether an earlier send with the same id stored it."""

    id: int
    representation: str
    replayed: bool = False


PREVIEW_CHARS = 100  # as crossfade.preview cuts


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A message under its conversation's lock."""

    id: int
    version: int
    status: str
    provider_message_id: str | None
    content: str
    metadata: dict[str, Any]
    attachments: list[dict[str, Any]]
    is_deleted: bool
    is_unread: bool
    representation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageChange:
    """An edit, a deletion or a new status of a message; what is None stays."""

    event_type: EventType
    status: MessageStatus | None = None
    provider_message_id: str | None = None
    content: str | None = None
    metadata: str | None = None
    attachments: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedMessage(NewMessage):
    """One message of somewhere else, with the time it had there. `index` is its place in the request."""

    index: int
    status: MessageStatus
    created_at: datetime
    provider_message_id: str | None = None

    @property
    def preview(self) -> str:
        return self.content[:PREVIEW_CHARS] or f"[{self.message_type}]"


def message_etag(message_id: int, version: int) -> str:
    return f'"m{message_id}-{version}"'


def is_change(known: StoredMessage, change: StatusChange) -> bool:
    """Return whether there is anything to store; raise when it may not be stored."""
    status = MessageStatus(known.status)
    wanted_id = change.provider_message_id
    if wanted_id is not None and known.provider_message_id not in (None, wanted_id):
        raise ProviderIdConflict("Leave providerMessageId out, or send the one that is stored.")
    if status is change.status:
        return wanted_id is not None and known.provider_message_id is None
    if not status.may_become(change.status):
        raise StatusConflict(f"The message is {status}; it cannot become {change.status}.")
    return True
