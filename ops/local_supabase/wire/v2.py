"""Serializer 2.0.0: JSON arrays, and binary frames for broadcasts. What the JavaScript client speaks.

Binary layouts (all lengths one byte):
    0 push            0 | join_ref ref topic event lengths | join_ref ref topic event payload
    2 broadcast       2 | topic event lengths | topic event payload
    3 user push       3 | join_ref ref topic event metadata lengths | encoding | the five strings | payload
    4 user broadcast  4 | topic event metadata lengths | encoding | the three strings | payload
"""

from typing import Any

from ops.local_supabase.wire import json_text
from ops.local_supabase.wire.frames import Encoding, Frame, MalformedFrameError, Outgoing, UserBroadcastPush

PUSH, BROADCAST, USER_PUSH, USER_BROADCAST = 0, 2, 3, 4
_PARTS = 5


def decode_text(text: str | bytes) -> Frame:
    """Read `[join_ref, ref, topic, event, payload, …]`; further elements are ignored."""
    try:
        value = json_text.decode(text)
    except ValueError as error:
        raise MalformedFrameError(str(error)) from None
    if not isinstance(value, list) or len(value) < _PARTS:
        raise MalformedFrameError("not an array of five")
    join_ref, ref, topic, event, payload = value[:_PARTS]
    return Frame(join_ref, ref, topic, event, payload, len(text))


def decode_binary(data: bytes) -> Frame:
    """Read kinds 0 and 3; every other kind is refused."""
    kind = data[0] if data else -1
    try:
        if kind == USER_PUSH:
            return _decode_user_push(data)
        if kind == PUSH:
            (join_ref, ref, topic, event), content = _split(data, 4, 5)
            return Frame(join_ref, ref, topic, event, content, len(data))
    except (IndexError, ValueError) as error:
        raise MalformedFrameError(str(error)) from None
    raise MalformedFrameError(f"kind {kind} is not for clients")


def encode(join_ref: Any, ref: Any, topic: Any, event: str, payload: Any) -> Outgoing:
    return Outgoing(json_text.encode([join_ref, ref, topic, event, payload]))


def encode_broadcast(topic: str, event: str, content: bytes) -> Outgoing:
    """Kind 2: a Phoenix broadcast with a binary payload."""
    topic_bytes, event_bytes = topic.encode(), event.encode()
    head = bytes((BROADCAST, _length(topic_bytes), _length(event_bytes)))
    return Outgoing(head + topic_bytes + event_bytes + content, binary=True)


def encode_user_broadcast(topic: str, event: str, metadata: bytes, encoding: Encoding, content: bytes) -> Outgoing:
    """Kind 4; raises ValueError when topic, event or metadata exceed 255 bytes."""
    topic_bytes, event_bytes = topic.encode(), event.encode()
    lengths = (_length(topic_bytes), _length(event_bytes), _length(metadata))
    head = bytes((USER_BROADCAST, *lengths, encoding))
    return Outgoing(head + topic_bytes + event_bytes + metadata + content, binary=True)


def _decode_user_push(data: bytes) -> Frame:
    (join_ref, ref, topic, event, metadata), content = _split(data, 5, 7)
    if metadata:
        json_text.decode(
            metadata
        )  # its content is dropped (persistence is newer than this server), but it must be JSON
    encoding = Encoding.RAW if data[6] == Encoding.RAW else Encoding.JSON
    return Frame(join_ref, ref, topic, "broadcast", UserBroadcastPush(event, encoding, content), len(data))


def _split(data: bytes, strings: int, start: int) -> tuple[list[str], bytes]:
    parts = []
    for length in data[1 : 1 + strings]:
        if start + length > len(data):
            raise ValueError("shorter than its lengths say")
        parts.append(data[start : start + length].decode())
        start += length
    if len(parts) < strings or start > len(data):
        raise ValueError("shorter than its header")
    return parts, data[start:]


def _length(part: bytes) -> int:
    if len(part) > 255:  # noqa: PLR2004 - one byte holds the length
        raise ValueError("longer than the 255 bytes a binary frame can carry")
    return len(part)
