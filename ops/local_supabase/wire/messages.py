"""Messages to many sockets at once. Encoded on first need, once per version, however many receive it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ops.local_supabase.wire import json_text, v1, v2
from ops.local_supabase.wire.frames import Encoding, Outgoing, Version

_UNPARSABLE = b'%{error: "unable to parse response"}'  # what v1 sockets get on the real server, to the letter


@dataclass(eq=False)
class Fanout(ABC):
    """A message on one topic. `message_id` names rows of realtime.messages, so that replays are not repeated."""

    topic: str
    message_id: str | None = field(default=None, kw_only=True)

    def encoded(self, version: Version) -> Outgoing | None:
        """The frame for a version, None when it is never sent to that version; ValueError when it does not fit."""
        return self.v2_frame if version is Version.V2 else self.v1_frame

    @property
    @abstractmethod
    def v1_frame(self) -> Outgoing | None: ...

    @property
    @abstractmethod
    def v2_frame(self) -> Outgoing | None: ...


@dataclass(eq=False)
class TextFanout(Fanout):
    """Text broadcasts, HTTP batches, presence diffs, changes: a JSON payload under an event."""

    event: str
    payload: Any

    @cached_property
    def v1_frame(self) -> Outgoing:
        return v1.encode(None, self.topic, self.event, self.payload)

    @cached_property
    def v2_frame(self) -> Outgoing:
        return v2.encode(None, None, self.topic, self.event, self.payload)


@dataclass(eq=False)
class UserFanout(Fanout):
    """Broadcasts of kind 3 frames, of the per-topic HTTP endpoint and of realtime.send: content is passed through."""

    event: str
    content: bytes
    encoding: Encoding

    @cached_property
    def _metadata(self) -> bytes:
        return json_text.encode({"id": self.message_id}) if self.message_id else b""

    @cached_property
    def v1_frame(self) -> Outgoing | None:
        if self.encoding is Encoding.RAW:
            return None  # version 1 has no way to carry bytes
        meta = b'"meta":' + self._metadata + b"," if self.message_id else b""
        head = b'{"event":' + json_text.encode(self.event) + b"," + meta + b'"payload":'
        return v1.encode_with_content(self.topic, "broadcast", head + self.content + b',"type":"broadcast"}')

    @cached_property
    def v2_frame(self) -> Outgoing:
        return v2.encode_user_broadcast(self.topic, self.event, self._metadata, self.encoding, self.content)


@dataclass(eq=False)
class BinaryFanout(Fanout):
    """A broadcast sent as a kind 0 frame: its payload is bytes without a user event."""

    content: bytes

    @cached_property
    def v1_frame(self) -> Outgoing:
        return v1.encode_with_content(self.topic, "broadcast", _UNPARSABLE)

    @cached_property
    def v2_frame(self) -> Outgoing:
        return v2.encode_broadcast(self.topic, "broadcast", self.content)
