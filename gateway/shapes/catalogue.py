"""Every event that a webhook may carry, with the JSON Schema and an example of its request. Pure.

Read by the API (`GET /webhooks/event-types`, test events), by OpenAPI under `webhooks`, and by subscribers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from realtime_bridge.event_log.event import ALIASES, EventType
from realtime_bridge.webhooks.contract.health import NoticeType

PING = "webhook.ping"
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One event type. `data` is the schema of the request's `data`, `example` one such object."""

    type: str
    description: str
    data: Schema
    example: dict[str, Any]

    @property
    def family(self) -> str:
        """`message` of `message.new`. All of a family have the same `data`."""
        return self.type.partition(".")[0]

    @property
    def schema(self) -> Schema:
        """JSON Schema (draft 2020-12) of the whole request body."""
        return self.schema_with(self.data)

    def schema_with(self, data: Schema) -> Schema:
        """Return the schema with another one for `data`, such as a reference to it."""
        return {
            "type": "object",
            "required": ["type", "timestamp", "data", "eventId", "seq", "conversationSeq"],
            "properties": {
                "type": {"const": self.type},
                "timestamp": _TIME | {"description": "When the event was committed; the same on every attempt."},
                "data": data,
                "eventId": _UUID | {"description": "Names the event; also the header webhook-id. Drop repeats by it."},
                "seq": _ORDER
                | {"description": "Place in the account's log: ascending, with gaps. Null outside the log."},
                "conversationSeq": _ORDER | {"description": "Place in the conversation: ascending, without gaps."},
            },
        }

    @property
    def request(self) -> dict[str, Any]:
        """An example of the whole request body."""
        return {
            "type": self.type,
            "timestamp": _MOMENT,
            "data": self.example,
            "eventId": _EXAMPLE_ID,
            "seq": 17 if "seq" in self.example else None,
            "conversationSeq": self.example.get("seq"),
        }


_TIME: Schema = {"type": "string", "format": "date-time"}
_UUID: Schema = {"type": "string", "format": "uuid"}
_ORDER: Schema = {"type": ["integer", "null"], "minimum": 0}
_ID: Schema = {"type": "integer", "minimum": 1}
_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_MOMENT = "2026-11-20T10:00:00.000000Z"
_EXAMPLE_ID = "2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6"


def _nullable(schema: Schema) -> Schema:
    return schema | {"type": [schema["type"], "null"]}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_ATTACHMENT = _object(id=_UUID, fileName=_TEXT, contentType=_TEXT, sizeBytes=_WHOLE)
_PARTICIPANT = _object(
    userId=_UUID, role={"enum": ["owner", "agent", "client", "supervisor"]}, lastReadSeq=_WHOLE, joinedAt=_TIME
)
_MESSAGE = _object(
    id=_ID,
    conversationId=_ID,
    seq=_WHOLE,
    eventId=_UUID,
    messageSeq=_WHOLE,
    version=_WHOLE,
    content=_TEXT,
    direction={"enum": ["incoming", "outgoing"]},
    status={"enum": ["pending", "sent", "delivered", "read", "failed"]},
    messageType={"enum": ["text", "image", "audio", "video", "document"]},
    metadata={"type": "object"},
    attachments=_list_of(_ATTACHMENT),
    clientMessageId=_nullable(_TEXT),
    providerMessageId=_nullable(_TEXT),
    senderId=_nullable(_TEXT),
    replyToId=_nullable(_ID),
    createdAt=_TIME,
    updatedAt=_TIME,
    editedAt=_nullable(_TIME),
    deletedAt=_nullable(_TIME),
)
_CONVERSATION = _object(
    id=_ID,
    seq=_WHOLE,
    eventId=_UUID,
    contactJid=_TEXT,
    contactName=_nullable(_TEXT),
    channel=_TEXT,
    status={"enum": ["open", "pending", "resolved", "snoozed"]},
    snoozedUntil=_nullable(_TIME),
    assignedAgentId=_nullable(_UUID),
    assignedBotId=_nullable(_TEXT),
    lastMessageAt=_nullable(_TIME),
    lastMessagePreview=_nullable(_TEXT),
    unreadCount={"type": "integer", "minimum": 0},
    readSeq=_WHOLE,
    firstSeq=_WHOLE,
    createdAt=_TIME,
    updatedAt=_TIME,
)
_MESSAGE["properties"]["contentHtml"] = _TEXT | {
    "description": "The content as HTML that is safe to put on a page; only for accounts that asked for it."
}
_CONVERSATION["properties"]["lastMessagePreviewHtml"] = _nullable(_TEXT) | {
    "description": "The preview as HTML that is safe to put on a page; only for accounts that asked for it."
}
_CONVERSATION["properties"]["participants"] = _list_of(_PARTICIPANT) | {
    "description": "Only when they, or their reading marks, have changed."
}
_NOTICE = _object(webhookId=_ID, url=_TEXT, reason=_TEXT, at=_TIME)
_PING = _object(webhookId=_ID, message=_TEXT)

_MESSAGE_EXAMPLE: dict[str, Any] = {
    "id": 1, "conversationId": 1, "seq": 1, "eventId": _EXAMPLE_ID, "messageSeq": 1, "version": 1,
    "content": "This is a test.",
    "direction": "incoming", "status": "delivered", "messageType": "text", "metadata": {},
    "attachments": [], "clientMessageId": None,
    "providerMessageId": None, "senderId": None, "replyToId": None, "createdAt": _MOMENT, "updatedAt": _MOMENT,
    "editedAt": None, "deletedAt": None,
}  # fmt: skip
_CONVERSATION_EXAMPLE: dict[str, Any] = {
    "id": 1, "seq": 0, "eventId": _EXAMPLE_ID, "contactJid": "contact@example.com", "contactName": "Ann",
    "channel": "api", "status": "open", "snoozedUntil": None, "assignedAgentId": None,
    "assignedBotId": None, "lastMessageAt": None, "lastMessagePreview": None, "unreadCount": 0,
    "readSeq": 0, "firstSeq": 1, "createdAt": _MOMENT, "updatedAt": _MOMENT,
}  # fmt: skip
_NOTICE_EXAMPLE = {
    "webhookId": 1,
    "url": "https://example.com/hooks",
    "reason": "5 attempts failed in a row.",
    "at": _MOMENT,
}

_CHAT: Mapping[EventType, str] = {
    EventType.MESSAGE_NEW: "A message was stored.",
    EventType.MESSAGE_UPDATED: "A message was edited.",
    EventType.MESSAGE_DELETED: "A message was deleted.",
    EventType.MESSAGE_STATUS: "A message was sent, delivered, read, or failed.",
    EventType.CONVERSATION_NEW: "A conversation was created.",
    EventType.CONVERSATION_UPDATED: "A conversation changed.",
    EventType.CONVERSATION_ASSIGNED: "A conversation was given to an agent or bot, or taken from one.",
}
_NOTICES: Mapping[NoticeType, str] = {
    NoticeType.DEGRADED: "Another endpoint of the account fails; it is probed one request at a time.",
    NoticeType.FAILING: "Another endpoint has failed for a day, or for three.",
    NoticeType.DISABLED: "Another endpoint was disabled: it is gone, or failed for five days.",
    NoticeType.RECOVERED: "Another endpoint accepts deliveries again.",
}


def _chat_kind(type_: EventType, description: str) -> Kind:
    data, example = (
        (_MESSAGE, _MESSAGE_EXAMPLE) if type_.value.startswith("message.") else (_CONVERSATION, _CONVERSATION_EXAMPLE)
    )
    return Kind(type=type_.value, description=description, data=data, example=example)


def _alias(type_: str, direction: str) -> Kind:
    description = (
        f"Another name for `message.new` of the direction {direction}: sent to webhooks that subscribe to it and not to"
        " `message.new`, with the same data."
    )
    return Kind(type=type_, description=description, data=_MESSAGE, example=_MESSAGE_EXAMPLE | {"direction": direction})


KINDS: tuple[Kind, ...] = (
    *(_chat_kind(type_, description) for type_, description in _CHAT.items()),
    *(_alias(type_, direction) for type_, direction in ALIASES.items()),
    *(Kind(type=t.value, description=d, data=_NOTICE, example=_NOTICE_EXAMPLE) for t, d in _NOTICES.items()),
    Kind(
        type=PING,
        description="Sent to every new endpoint, and on request. Not part of any subscription.",
        data=_PING,
        example={"webhookId": 1, "message": "Hello from Crossfade."},
    ),
)
BY_TYPE: Mapping[str, Kind] = {kind.type: kind for kind in KINDS}
SUBSCRIBABLE: tuple[str, ...] = tuple(kind.type for kind in KINDS if kind.type != PING)
PATTERNS: tuple[str, ...] = ("*", *dict.fromkeys(f"{one.split('.')[0]}.*" for one in SUBSCRIBABLE), *SUBSCRIBABLE)


def is_pattern(word: str) -> bool:
    """Whether `word` selects anything: a type, `family.*` or `*`."""
    return word in PATTERNS
