"""Events of whatsmeow under their Go names, understood. Pure; the only place that knows them.

Unknown fields are ignored and missing ones have a value, because WUZAPI and WhatsApp add fields every month; what is
not understood is Ignored with a word for the log, never an error that would be retried.
"""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gateway.domain.messages import Direction, MessageStatus, MessageType
from gateway.wuzapi.arrivals import Ignored, Inbound, Receipt, Rewritten, Typing, Understood
from realtime_bridge.shared.payloads import storable

PHONE, LID, GROUP = "@s.whatsapp.net", "@lid", "@g.us"
PART_BYTES = 4_096  # of a message's content, by check constraint; WhatsApp allows 65,536 characters
REVOKE, EDIT = 0, 14  # waE2E.ProtocolMessage.Type; 0 is left out by some encoders
MAX_JID = 255
MAX_IDS = 500  # a receipt for a long unread conversation names a few dozen
MAX_SHOWN = 255  # characters of a name, a file name, a link
MEDIA = {
    "imageMessage": MessageType.IMAGE,
    "stickerMessage": MessageType.IMAGE,
    "audioMessage": MessageType.AUDIO,
    "videoMessage": MessageType.VIDEO,
    "ptvMessage": MessageType.VIDEO,
    "documentMessage": MessageType.DOCUMENT,
}
RECEIPTS = {
    "Delivered": (MessageStatus.DELIVERED, Direction.OUTGOING),
    "Read": (MessageStatus.READ, Direction.OUTGOING),
    "ReadSelf": (MessageStatus.READ, Direction.INCOMING),  # read on the account's own phone
}
_DEVICE = re.compile(r"[.:][^@]*(?=@)")  # whatsmeow writes user.agent:device@server


Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value), AfterValidator(storable)]
Jid = Annotated[Text, Field(max_length=MAX_JID), AfterValidator(lambda jid: _DEVICE.sub("", jid))]
Id = Annotated[Text, Field(min_length=1, max_length=MAX_JID)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Chat(_Model):
    Chat: Jid
    Sender: Jid = ""
    IsFromMe: bool = False


class _Info(_Chat):
    ID: Id
    SenderAlt: Jid = ""
    RecipientAlt: Jid = ""
    PushName: Text = ""
    Timestamp: Text = ""


class _Message(_Model):
    Info: _Info
    Message: Annotated[dict[str, Any], BeforeValidator(lambda value: value or {})] = Field(default_factory=dict)


class _Receipt(_Chat):
    MessageIDs: Annotated[tuple[Id, ...], BeforeValidator(lambda ids: ids or ()), Field(max_length=MAX_IDS)] = ()


class _ChatPresence(_Chat):
    State: Text = ""


def understand(document: dict[str, Any]) -> Understood:
    """Return what the document says; Ignored when it says nothing to us."""
    kind = document.get("type")
    event = document.get("event")
    try:
        match kind:
            case "Message":
                return _message(_Message.model_validate(event), document)
            case "ReadReceipt":
                return _receipt(_Receipt.model_validate(event), str(document.get("state")))
            case "ChatPresence":
                return _typing(_ChatPresence.model_validate(event))
    except ValidationError:
        return Ignored(why="unusable")
    return Ignored(why="event_type")


def _message(event: _Message, document: dict[str, Any]) -> Understood:
    info = event.Info
    if not info.Chat.endswith((PHONE, LID, GROUP)):
        return Ignored(why="not_a_chat")  # status broadcasts, newsletters
    if protocol := _part(event.Message, "protocolMessage"):
        return _rewritten(info, protocol)
    found = _content(event.Message)
    if found is None:
        return Ignored(why="message_kind")  # reactions, calls, keys
    message_type, text, details = found
    other = info.RecipientAlt if info.IsFromMe else info.SenderAlt
    jids = (info.Chat,) if info.Chat.endswith(GROUP) else _preferred(info.Chat, other)
    details = details | _media_details(document) | {"sentAt": info.Timestamp}
    return Inbound(
        provider_message_id=info.ID,
        jids=jids,
        sender=_preferred(info.Sender, info.SenderAlt)[0] if info.Sender else jids[0],
        name=None if info.IsFromMe else info.PushName[:MAX_SHOWN] or None,
        direction=Direction.OUTGOING if info.IsFromMe else Direction.INCOMING,
        message_type=message_type,
        parts=split(text),
        quoted_id=_quoted(event.Message),
        details={name: value[:MAX_SHOWN] for name, value in details.items() if value},
    )


def _rewritten(info: _Info, protocol: dict[str, Any]) -> Understood:
    """A protocol message is about another message: `key.ID` is that one's."""
    target_id = _text(_part(protocol, "key"), "ID")[:MAX_JID]
    edited = _content(_part(protocol, "editedMessage")) if protocol.get("type") == EDIT else None
    if not target_id or (edited is None and protocol.get("type", REVOKE) != REVOKE):
        return Ignored(why="protocol_message")
    text = edited[1] if edited else None
    if text is not None and len(text.encode()) > PART_BYTES:
        return Ignored(why="edit_too_long")
    return Rewritten(
        provider_message_id=info.ID,
        target_id=target_id,
        text=text,
        direction=Direction.OUTGOING if info.IsFromMe else Direction.INCOMING,
        senders=_preferred(info.Sender, info.SenderAlt),
        is_group=info.Chat.endswith(GROUP),
    )


def _content(message: dict[str, Any]) -> tuple[MessageType, str, dict[str, str]] | None:
    """Return type, text and what is known of the medium; None when there is nothing to show."""
    text = _text(message, "conversation") or _text(_part(message, "extendedTextMessage"), "text")
    if text.strip():
        return MessageType.TEXT, text, {}
    for name, message_type in MEDIA.items():
        if medium := _part(message, name):
            details = {"mimeType": _text(medium, "mimetype"), "fileName": _text(medium, "fileName")}
            return message_type, _text(medium, "caption"), details
    return None


def _quoted(message: dict[str, Any]) -> str | None:
    for part in message.values():
        context = _part(part, "contextInfo") if isinstance(part, dict) else {}
        if quoted := _text(context, "stanzaID"):
            return quoted[:MAX_JID]
    return None


def _media_details(document: dict[str, Any]) -> dict[str, str]:
    """What WUZAPI adds to media. The bytes themselves (`base64`) are not kept."""
    return {
        "mimeType": _text(document, "mimeType"),
        "fileName": _text(document, "fileName"),
        "url": _text(_part(document, "s3"), "url"),
    }


def _receipt(event: _Receipt, state: str) -> Understood:
    if state not in RECEIPTS or not event.MessageIDs:
        return Ignored(why="receipt_kind" if event.MessageIDs else "no_message_ids")
    status, direction = RECEIPTS[state]
    return Receipt(jid=event.Chat, message_ids=event.MessageIDs, status=status, direction=direction)


def _typing(event: _ChatPresence) -> Understood:
    if event.IsFromMe or event.State not in ("composing", "paused"):
        return Ignored(why="presence_kind")
    return Typing(jid=event.Chat, sender=event.Sender or event.Chat, is_typing=event.State == "composing")


def _preferred(jid: str, other: str) -> tuple[str, ...]:
    """Both addresses of one person, the phone number first: replies to a LID do not always arrive."""
    if not other or other == jid:
        return (jid,)
    return (other, jid) if jid.endswith(LID) and other.endswith(PHONE) else (jid, other)


def split(text: str) -> tuple[str, ...]:
    """Cut a text into parts of at most PART_BYTES bytes, between characters; at least one part."""
    parts, rest = [], text.encode()
    while len(rest) > PART_BYTES:
        cut = PART_BYTES
        while rest[cut] & 0xC0 == 0x80:  # noqa: PLR2004 - a continuation byte of UTF-8
            cut -= 1
        parts.append(rest[:cut].decode())
        rest = rest[cut:]
    return (*parts, rest.decode())


def _part(node: dict[str, Any], name: str) -> dict[str, Any]:
    part = node.get(name)
    return part if isinstance(part, dict) else {}


def _text(node: dict[str, Any], name: str) -> str:
    text = node.get(name)
    return storable(text) if isinstance(text, str) else ""
