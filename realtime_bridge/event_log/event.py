"""The event as the log holds it. Read by every sink; never changed on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID


class Family(StrEnum):
    """What events tell of: the types of a family have the same payload."""

    MESSAGE = "message"
    CONVERSATION = "conversation"


class EventType(StrEnum):
    """The types of the log, each with its words for those who subscribe to it."""

    family: Family
    words: str

    def __new__(cls, value: str, words: str) -> Self:
        """Raises ValueError for a type of no family."""
        one = str.__new__(cls, value)
        one._value_, one.family, one.words = value, Family(value.partition(".")[0]), words
        return one

    MESSAGE_NEW = "message.new", "A message was stored."
    MESSAGE_UPDATED = "message.updated", "A message was edited."
    MESSAGE_DELETED = "message.deleted", "A message was deleted."
    MESSAGE_STATUS = "message.status", "A message was sent, delivered, read, or failed."
    CONVERSATION_NEW = "conversation.new", "A conversation was created."
    CONVERSATION_UPDATED = "conversation.updated", "A conversation changed."
    CONVERSATION_ASSIGNED = "conversation.assigned", "A conversation was given to an agent or bot, or taken from one."


ALIASES: Mapping[str, str] = {"message.received": "incoming", "message.sent": "outgoing"}
"""Names by which webhooks may take `message.new` of one direction: those of the first design, accepted for good."""


KNOWN: Mapping[str, EventType] = {one.value: one for one in EventType}


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

    @property
    def kind(self) -> EventType | None:
        """Its type; None for one that this version does not know."""
        return KNOWN.get(self.type)
