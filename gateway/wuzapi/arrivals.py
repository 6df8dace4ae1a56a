"""Arrivals from WhatsApp, in our words: messages, changes, receipts, typing. Pure."""

from dataclasses import dataclass
from typing import TypeAlias

from gateway.domain.messages import Direction, MessageStatus, MessageType


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message. `jids` are the chat's addresses, the preferred one (a phone number) first; `parts` its text, cut."""

    provider_message_id: str
    jids: tuple[str, ...]
    sender: str
    name: str | None
    direction: Direction
    message_type: MessageType
    parts: tuple[str, ...]
    quoted_id: str | None
    details: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """The sender took a message back (`text` is None), or says something else instead."""

    provider_message_id: str
    target_id: str
    text: str | None
    direction: Direction
    senders: tuple[str, ...]
    """Who may have written the target; in a group somebody else could name it."""
    is_group: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    jid: str
    message_ids: tuple[str, ...]
    status: MessageStatus
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Typing:
    jid: str
    sender: str
    is_typing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    why: str


Understood: TypeAlias = Inbound | Rewritten | Receipt | Typing | Ignored
