"""Serializer of one connection, chosen by the `vsn` of its handshake."""

from typing import Any

from ops.local_supabase.wire import json_text, v1, v2
from ops.local_supabase.wire.frames import Encoding, Frame, Outgoing, Version


class Serializer:
    """Version 1.0.0 or 2.0.0."""

    def __init__(self, version: Version) -> None:
        self.version = version

    def decode(self, data: str | bytes) -> Frame:
        """Read a text (str) or binary (bytes) frame; raises MalformedFrameError."""
        if self.version is Version.V1:
            return v1.decode(data)
        return v2.decode_text(data) if isinstance(data, str) else v2.decode_binary(data)

    def encode(self, join_ref: Any, ref: Any, topic: Any, event: str, payload: Any) -> Outgoing:
        if self.version is Version.V1:
            return v1.encode(ref, topic, event, payload)
        return v2.encode(join_ref, ref, topic, event, payload)

    def encode_reply(self, join_ref: Any, ref: Any, topic: Any, status: str, response: Any) -> Outgoing:
        return self.encode(join_ref, ref, topic, "phx_reply", {"status": status, "response": response})

    def encode_stored(
        self, join_ref: Any, topic: str, event: str, meta: dict[str, Any], content: bytes, encoding: Encoding
    ) -> Outgoing | None:
        """A message that is replayed: JSON as text with the join_ref; bytes as kind 4, and only for version 2."""
        if encoding is Encoding.JSON:
            body = {"event": event, "meta": meta, "payload": json_text.decode(content), "type": "broadcast"}
            return self.encode(join_ref, None, topic, "broadcast", body)
        if self.version is Version.V1:
            return None
        return v2.encode_user_broadcast(topic, event, json_text.encode(meta), encoding, content)
