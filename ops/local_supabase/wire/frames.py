"""Frames that arrive, in any version, and the decoders' one error."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Version(IntEnum):
    """Serializer chosen by the `vsn` of the handshake."""

    V1 = 1
    V2 = 2


class Encoding(IntEnum):
    """Payload of a user broadcast: bytes as they are, or JSON."""

    RAW = 0
    JSON = 1


class MalformedFrameError(ValueError):
    """The frame is dropped; the connection and its channels stay, as on the real server."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A Phoenix message. `topic`, `event` and the refs are whatever the client sent, of any JSON type."""

    join_ref: Any
    ref: Any
    topic: Any
    event: Any
    payload: Any
    bytes: int  # length on the wire, an upper bound for most sizes of the payload


@dataclass(frozen=True, slots=True)
class UserBroadcastPush:
    """Payload of a kind 3 frame: a broadcast whose content the server does not look into."""

    event: str
    encoding: Encoding
    content: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One encoded frame, shared by all sockets it goes to."""

    data: bytes
    binary: bool = False
