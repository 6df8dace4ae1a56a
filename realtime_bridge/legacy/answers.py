"""What old clients say, read strictly, and what they are answered. Pure; used by the server's event handlers."""

from typing import Any

MAX_ID_CHARS = 64  # longer is no id of ours; 2^63 has 19 digits
MAX_BIGINT = 2**63 - 1


class Mistake(Exception):
    """The client asked for something it cannot have; `code` is for its program, the text for its author."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def not_found() -> Mistake:
    """The one answer for an unknown conversation and for somebody else's."""
    return Mistake("not_found", "There is no such conversation.")


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
    after_seq = options.get("afterSeq") if isinstance(options, dict) else options
    if rest or isinstance(after_seq, bool) or not isinstance(after_seq, int | None) or isinstance(options, int):
        raise Mistake("invalid", "The second argument is {afterSeq: <whole number>}.")
    if after_seq is not None and not 0 <= after_seq <= MAX_BIGINT:
        raise Mistake("invalid", "afterSeq is 0 or more.")
    return wanted, after_seq


def typing(arguments: tuple[object, ...]) -> tuple[int, bool]:
    """Read `{conversationId, isTyping}`."""
    value = arguments[0] if len(arguments) == 1 else None
    if not isinstance(value, dict) or not isinstance(value.get("isTyping"), bool):
        raise Mistake("invalid", "Send {conversationId, isTyping}.")
    return conversation_id((value.get("conversationId"),)), value["isTyping"]
