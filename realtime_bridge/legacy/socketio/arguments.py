"""Arguments of old clients, read strictly, and answers to them. Pure; used by the server's event handlers."""

from typing import Any

from realtime_bridge.legacy.frame import MAX_BIGINT
from realtime_bridge.legacy.incoming import Mistake, Written, not_found
from realtime_bridge.legacy.sessions import MAX_SUBSCRIPTIONS

MAX_ID_CHARS = 64  # longer is no id of ours; 2^63 has 19 digits
MAX_CONTENT_BYTES = 4_096  # the same as over REST
MAX_CLIENT_ID_CHARS = 128
TYPES = {name: name for name in ("text", "image", "audio", "video", "document")} | {"file": "document"}


def error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def conversation_id(arguments: tuple[object, ...]) -> int:
    """Read `"<id>"` or the number. A text that is no id is an unknown conversation, anything else a mistake."""
    value = arguments[0] if len(arguments) == 1 else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # as REST shows it
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARS:
        raise Mistake("invalid", "Send the conversation's id.")
    if not (value.isascii() and value.isdigit()) or int(value) > MAX_BIGINT:
        raise not_found()
    return int(value)


def subscription(arguments: tuple[object, ...]) -> tuple[int, int | None]:
    """Read `"<id>"` or `"<id>", {afterSeq}`."""
    wanted = conversation_id(arguments[:1])
    options, *rest = arguments[1:] or (None,)
    if rest or not isinstance(options, dict | None):
        raise Mistake("invalid", "The second argument is {afterSeq: <whole number>}.")
    after_seq = (options or {}).get("afterSeq")
    return wanted, None if after_seq is None else _seq(after_seq, "afterSeq")


def heard(auth: object) -> dict[int, int]:
    """Read `afterSeq: {"<id>": <seq>}` of the handshake: how far the client is in its conversations."""
    said = auth.get("afterSeq") if isinstance(auth, dict) else None
    if not isinstance(said, dict | None) or len(said or ()) > MAX_SUBSCRIPTIONS:
        raise Mistake("invalid", f"afterSeq is {{<conversation>: <seq>}}, for at most {MAX_SUBSCRIPTIONS} of them.")
    return {conversation_id((key,)): _seq(seq, "afterSeq") for key, seq in (said or {}).items()}


def token(arguments: tuple[object, ...]) -> object:
    """Read `"<JWT>"` or `{token}`; whether it is one is for the verifier to say."""
    value = arguments[0] if len(arguments) == 1 else None
    return value.get("token") if isinstance(value, dict) else value


def typing(arguments: tuple[object, ...]) -> tuple[int, bool]:
    """Read `{conversationId, isTyping}`."""
    value = _object(arguments, wanted := "{conversationId, isTyping}")
    if not isinstance(value.get("isTyping"), bool):
        raise Mistake("invalid", f"Send {wanted}.")
    return conversation_id((value.get("conversationId"),)), value["isTyping"]


def message(arguments: tuple[object, ...]) -> Written:
    """Read `{conversationId, content, type?, clientMessageId?}`."""
    value = _object(arguments, "{conversationId, content}")
    conversation = conversation_id((value.get("conversationId"),))
    content = _storable(value.get("content"), "content")
    if not content.strip():
        raise Mistake("invalid", "content must not be blank.")
    if len(content.encode()) > MAX_CONTENT_BYTES:
        raise Mistake("too_long", f"content is at most {MAX_CONTENT_BYTES} bytes of UTF-8.")
    kind = value.get("type", "text")
    if not isinstance(kind, str) or kind not in TYPES:
        raise Mistake("invalid", f"type is one of {', '.join(TYPES)}.")
    client_id = value.get("clientMessageId")
    if client_id is not None and not 0 < len(_storable(client_id, "clientMessageId")) <= MAX_CLIENT_ID_CHARS:
        raise Mistake("invalid", f"clientMessageId is a text of 1 to {MAX_CLIENT_ID_CHARS} characters.")
    return Written(conversation_id=conversation, content=content, message_type=TYPES[kind], client_message_id=client_id)


def read(arguments: tuple[object, ...]) -> tuple[int, int]:
    """Read `{conversationId, seq}`."""
    value = _object(arguments, "{conversationId, seq}")
    return conversation_id((value.get("conversationId"),)), _seq(value.get("seq"), "seq")


def _object(arguments: tuple[object, ...], wanted: str) -> dict[str, Any]:
    if len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise Mistake("invalid", f"Send {wanted}.")
    return arguments[0]


def _seq(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_BIGINT:
        raise Mistake("invalid", f"{name} is a whole number, 0 or more.")
    return value


def _storable(value: object, name: str) -> str:
    """Return a text that Postgres can hold: no NUL, no half of a surrogate pair."""
    if not isinstance(value, str) or "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise Mistake("invalid", f"{name} is a text without NUL or lone surrogates.")
    return value
