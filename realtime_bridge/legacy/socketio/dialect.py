"""Dialect of Socket.IO that old clients speak. An event of the log becomes the frames they expect. Pure.

Shapes are those of a CRM's Socket.IO chat engine. Ids are strings, `document` is spelled `file`, `workspaceId` is the
account. Every frame also carries `eventId` and `seq`, which old clients ignore and catching-up clients need.

A `conversation` frame has one shape, made by one function of the conversation's card (cards.py), whichever event it
tells of: everybody who takes part and the contact, each by name; the last message, left out while there is none; what
is unread. `eventId` and `seq` name that event, `stateSeq` the newest one that is in the card.

What the dialect needs and we do not have:
- the sender of a message without `senderId`: the account for outgoing messages, an empty string for incoming ones;
- the words of a message that has none: `[image]` and the like in the list, as in `lastMessagePreview`;
- `channel`: `whatsapp`, the one word old clients know, where it is, whatever the account has named its number; else the
  conversation's own. That name travels as `sourceChannel`.
A deleted message is an ordinary `message` with empty content, no attachments and `metadata.deleted = true`: old clients
have no event for it, and drop repeats by replacing a message of the same id.
"""

import json
from collections.abc import Mapping
from typing import Any, assert_never
from uuid import UUID

from realtime_bridge.event_log.event import Event, EventType
from realtime_bridge.legacy.cards import Card
from realtime_bridge.legacy.dialect import DialectError
from realtime_bridge.legacy.frame import Emit, conversation_room, user_room
from realtime_bridge.shared.content_html import with_html

WHATSAPP = "whatsapp"  # the literal type of the old clients' `channel`
MESSAGE_TYPES = {"text": "text", "image": "image", "audio": "audio", "video": "video", "document": "file"}
STATUSES = frozenset({"pending", "sent", "delivered", "read", "failed"})
SHOWN = (
    "status", "priority", "assignedAgentId", "assignedBotId", "lastMessageAt", "lastMessagePreview",
    "lastMessagePreviewHtml", "unreadCount",
)  # fmt: skip


class SocketIo:
    """The dialect itself, which is said as it is."""

    path = "/api/ws"

    def say(self, event: str, data: Mapping[str, Any]) -> tuple[str, object]:
        return event, data

    def hear(self, event: str, arguments: tuple[object, ...]) -> tuple[str, tuple[object, ...]]:
        return event, arguments


def emits_of(event: Event, card: Card | None) -> tuple[Emit, ...]:
    """Return what an event is to old clients, in sending order; nothing for a type they have no word for.

    Without a card (the conversation is gone) the list is not told. Raises DialectError when the payload lacks what the
    dialect needs.
    """
    emits: tuple[Emit, ...] = ()
    match event.kind:
        case None:  # a gateway of the version to come has written it
            pass
        case EventType.MESSAGE_NEW:
            emits = (_to_room(event, "message", _message(event)), *_to_people(event, card))
        case EventType.MESSAGE_UPDATED | EventType.MESSAGE_DELETED:
            emits = (_to_room(event, "message", _message(event)),)
        case EventType.MESSAGE_STATUS:
            emits = (_to_room(event, "messageStatus", _status(event)),)
        case EventType.CONVERSATION_NEW | EventType.CONVERSATION_UPDATED | EventType.CONVERSATION_ASSIGNED:
            emits = _to_people(event, card, tells_members="participants" in event.payload)
        case kind:
            assert_never(kind)
    for emit in emits:
        _check_json(emit.data)
    return tuple(emit for emit in emits if emit.rooms)


def typing(conversation_id: int, user_id: UUID, *, is_typing: bool) -> Emit:
    """Return the sign that somebody types; never stored."""
    data = {"conversationId": str(conversation_id), "userId": str(user_id), "isTyping": is_typing}
    return Emit(event="typing", data=data, rooms=(conversation_room(conversation_id),), conversation_id=conversation_id)


def _to_room(event: Event, name: str, data: dict[str, Any]) -> Emit:
    return Emit(
        event=name,
        data=data,
        rooms=(conversation_room(event.conversation_id),),
        conversation_id=event.conversation_id,
        seq=event.seq,
        members=_members(event),
    )


def _to_people(event: Event, card: Card | None, *, tells_members: bool = False) -> tuple[Emit, ...]:
    if card is None:
        return ()
    emit = Emit(
        event="conversation",
        data=_conversation(event, card),
        rooms=tuple(user_room(user) for user in event.participants),
        conversation_id=event.conversation_id,
        seq=event.seq,
        members=_members(event) if tells_members else None,
    )
    return (emit,)


def _members(event: Event) -> tuple[str, ...]:
    return tuple(str(user) for user in event.participants)


def _message(event: Event) -> dict[str, Any]:
    payload = event.payload
    deleted = event.type == EventType.MESSAGE_DELETED or payload.get("deletedAt") is not None
    metadata = dict(_object(payload, "metadata"))
    attachments = payload.get("attachments")
    if provider_id := payload.get("providerMessageId"):
        metadata["providerMessageId"] = str(provider_id)
    if deleted:
        metadata = {"deleted": True, "deletedAt": payload.get("deletedAt")}
    data: dict[str, Any] = {
        "id": _id(payload, "id"),
        "workspaceId": str(event.account_id),
        "conversationId": str(event.conversation_id),
        "senderId": _sender(event.account_id, payload),
        "type": _word(payload, "messageType", MESSAGE_TYPES),
        "content": "" if deleted else _text(payload, "content"),
        "status": _word(payload, "status", STATUSES),
        "metadata": metadata,
        "createdAt": _text(payload, "createdAt"),
        "updatedAt": _text(payload, "updatedAt"),
        "eventId": str(event.event_id),
        "seq": event.seq,
        "messageSeq": payload.get("messageSeq"),
        "direction": _text(payload, "direction"),
        "clientMessageId": payload.get("clientMessageId"),
    }
    if payload.get("replyToId") is not None:
        data["replyToMessageId"] = _id(payload, "replyToId")
    if attachments and not deleted:
        data["attachments"] = attachments
    if "contentHtml" in payload:
        data["contentHtml"] = "" if deleted else _text(payload, "contentHtml")
    return data


def _status(event: Event) -> dict[str, Any]:
    return {
        "messageId": _id(event.payload, "id"),
        "status": _word(event.payload, "status", STATUSES),
        "conversationId": str(event.conversation_id),
        "eventId": str(event.event_id),
        "seq": event.seq,
    }


def _conversation(event: Event, card: Card) -> dict[str, Any]:
    """The conversation as the list shows it: the only maker of `conversation` frames."""
    now = with_html(card.conversation) if card.wants_html else card.conversation
    contact = _text(now, "contactJid")
    data: dict[str, Any] = {
        "id": str(event.conversation_id),
        "workspaceId": str(event.account_id),
        "contactId": contact,
        "channel": WHATSAPP if card.is_whatsapp else now.get("channel"),
        "sourceChannel": now.get("channel"),
        "participants": [*card.people, {"id": contact, "name": now.get("contactName") or contact.partition("@")[0]}],
        "updatedAt": _text(now, "updatedAt"),
        **{name: now[name] for name in SHOWN if name in now},
        "eventId": str(event.event_id),
        "seq": event.seq,
        "stateSeq": now["seq"],
    }
    if card.last_message is not None:
        said = _last_message(event.account_id, card.last_message)
        data["lastMessage"] = with_html(said) if card.wants_html else said
    return data


def _last_message(account_id: UUID, message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": _id(message, "id"),
        "content": _text(message, "content"),
        "senderId": _sender(account_id, message),
        "createdAt": _text(message, "createdAt"),
    }


def _sender(account_id: UUID, message: Mapping[str, Any]) -> str:
    sender = message.get("senderId")
    if sender is not None:
        return str(sender)
    return str(account_id) if message.get("direction") == "outgoing" else ""


def _id(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DialectError(f"{name} is not an id")
    return str(value)


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str):
        raise DialectError(f"{name} is not a text")
    return value


def _word(payload: Mapping[str, Any], name: str, words: Mapping[str, str] | frozenset[str]) -> str:
    value = _text(payload, name)
    if value not in words:
        raise DialectError(f"{name} is not a word of the dialect")
    return words[value] if isinstance(words, Mapping) else value


def _object(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = payload.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise DialectError(f"{name} is not an object")
    return value


def _check_json(data: dict[str, Any]) -> None:
    """Refuse what JSON has no word for: a frame that a client cannot parse would cost it its connection."""
    try:
        json.dumps(data, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise DialectError(f"not JSON: {error}") from None
