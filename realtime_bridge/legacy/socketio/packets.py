"""Packets that a client may send, checked before the Socket.IO library. It trusts its input too much. Pure.

Without this a single frame can raise inside python-engineio (a traceback each), collect binary attachments without
limit, or call the `connect` and `disconnect` handlers by name. The dialect has no binary frames, so none are taken.
"""

from typing import Any

MAX_FRAME_BYTES = 64 * 1024  # the dialect's largest frame is a subscription of some hundred bytes
MAX_PACKETS = 256  # in one polling request: every subscription of a reconnecting client and some typing
MAX_EVENT_NAME = 64
SEPARATOR = "\x1e"  # between the packets of a polling body
RESERVED = frozenset({"connect", "disconnect", "connect_error", "newListener", "removeListener", "*"})

PROTOCOL_ERROR = 1002
UNSUPPORTED_DATA = 1003
TOO_LARGE = 1009

_CONTROL = {"websocket": frozenset({"1", "2probe", "3", "3probe", "5", "6"}), "polling": frozenset({"1", "3"})}
_MESSAGE = "4"  # Engine.IO message, which holds a Socket.IO packet
_SOCKETIO_TYPES = "0123"  # CONNECT, DISCONNECT, EVENT, ACK; never CONNECT_ERROR or a binary type


class BadFrame(ValueError):
    """The frame breaks the protocol: its socket is closed with `close_code` (RFC 6455 §7.4.1), nobody else notices."""

    def __init__(self, reason: str, close_code: int = PROTOCOL_ERROR) -> None:
        super().__init__(reason)
        self.close_code = close_code


def check_websocket_frame(text: str | None, data: bytes | None) -> None:
    """Raise BadFrame unless this is one Engine.IO packet that a client of this dialect may send."""
    if data is not None or text is None:
        raise BadFrame("binary frames are not accepted", UNSUPPORTED_DATA)
    if len(text) > MAX_FRAME_BYTES or len(text.encode(errors="replace")) > MAX_FRAME_BYTES:
        raise BadFrame("frame is too large", TOO_LARGE)
    _check_packet(text, "websocket")


def check_polling_body(body: bytes) -> None:
    """Raise BadFrame unless this is a body of Engine.IO packets that a client of this dialect may send."""
    if len(body) > MAX_FRAME_BYTES:
        raise BadFrame("body is too large", TOO_LARGE)
    try:
        packets = body.decode().split(SEPARATOR)
    except UnicodeDecodeError:
        raise BadFrame("body is not UTF-8") from None
    if len(packets) > MAX_PACKETS:
        raise BadFrame("too many packets", TOO_LARGE)
    for packet in packets:
        _check_packet(packet, "polling")


def check_event(data: Any) -> None:
    """Raise BadFrame unless a parsed EVENT is `[name, ...arguments]` with a name that clients may use."""
    if not isinstance(data, list) or not data or not isinstance(data[0], str):
        raise BadFrame("an event is a list that begins with its name")
    if len(data[0]) > MAX_EVENT_NAME or data[0] in RESERVED:
        raise BadFrame("this event name is not for clients")


def _check_packet(text: str, transport: str) -> None:
    if text[:1] == _MESSAGE:
        if text[1:2] not in _SOCKETIO_TYPES or len(text) == 1:
            raise BadFrame("not a Socket.IO packet of this dialect")
    elif text not in _CONTROL[transport]:
        raise BadFrame("not an Engine.IO packet")
