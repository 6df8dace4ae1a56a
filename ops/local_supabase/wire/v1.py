"""Serializer 1.0.0: JSON objects, text only. What the Python client speaks."""

from typing import Any

from ops.local_supabase.wire import json_text
from ops.local_supabase.wire.frames import Frame, MalformedFrameError, Outgoing

_KEYS = ("topic", "event", "payload", "ref")


def decode(text: str | bytes) -> Frame:
    """Read a frame, binary ones like text; all four keys must be there, `join_ref` may be missing."""
    try:
        value = json_text.decode(text)
    except ValueError as error:
        raise MalformedFrameError(str(error)) from None
    if not isinstance(value, dict) or any(key not in value for key in _KEYS):
        raise MalformedFrameError("not an object with topic, event, payload and ref")
    return Frame(value.get("join_ref"), value["ref"], value["topic"], value["event"], value["payload"], len(text))


def encode(ref: Any, topic: Any, event: str, payload: Any) -> Outgoing:
    """Exactly ref, event, payload and topic; never join_ref."""
    return Outgoing(json_text.encode({"ref": ref, "event": event, "payload": payload, "topic": topic}))


def encode_with_content(topic: str, event: str, content: bytes) -> Outgoing:
    """A push whose payload is already encoded (or is no JSON at all: then the receiver gets a broken frame)."""
    head = b'{"ref":null,"event":' + json_text.encode(event) + b',"payload":'
    return Outgoing(head + content + b',"topic":' + json_text.encode(topic) + b"}")
