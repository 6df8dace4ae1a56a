"""The event as the log holds it. Read by every sink; never changed on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class EventType(StrEnum):
    MESSAGE_NEW = "message.new"
    MESSAGE_UPDATED = "message.updated"
    MESSAGE_DELETED = "message.deleted"
    MESSAGE_STATUS = "message.status"
    CONVERSATION_NEW = "conversation.new"
    CONVERSATION_UPDATED = "conversation.updated"
    CONVERSATION_ASSIGNED = "conversation.assigned"


ALIASES: Mapping[str, str] = {"message.received": "incoming", "message.sent": "outgoing"}
"""Names by which webhooks may take `message.new` of one direction: those of the first design, accepted for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row of `chat_events`, with the people who take part in its conversation when it is read.

    `payload` is the wire form (camelCase, carries `eventId` and `seq`) and goes out as it stands.
    """

    id: int
    event_id: UUID
    account_id: UUID
    conversation_id: int
    seq: int
    type: str
    payload: dict[str, Any]
    origin: str
    created_at: datetime
    participants: tuple[UUID, ...]
    payload_bytes: int = 0
    """Its length as text: what it weighs on the way."""
    unreadable: str = ""
    """Why it cannot be read (the payload is empty then): no sink is given such an event, it is parked."""
    is_replay: bool = False
    """Whether an operator asked for it again: it comes late, and out of its order."""
