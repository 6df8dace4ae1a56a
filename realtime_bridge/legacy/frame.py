"""Frames that a dialect sends to rooms, and the rooms' names."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

MAX_BIGINT = 2**63 - 1
Number = Annotated[int, Field(ge=0, le=MAX_BIGINT)]
"""What Postgres can count to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit:
    """One Socket.IO event for everybody in any of `rooms`; `seq` places it in its conversation (None: not stored)."""

    event: str
    data: dict[str, Any]
    rooms: Annotated[tuple[str, ...], Field(min_length=1)]
    conversation_id: Number
    seq: Number | None = None
    members: tuple[str, ...] | None = None
    """Who takes part as of this event, by id: nobody else may stay in the conversation's room. None: not known."""

    @property
    def track(self) -> str:
        """What it is ordered in: its conversation's room, or the conversation's place in people's lists."""
        room = conversation_room(self.conversation_id)
        return room if self.rooms[0] == room else f"list:{self.conversation_id}"


def conversation_room(conversation_id: int) -> str:
    return f"conversation:{conversation_id}"


def user_room(user_id: UUID) -> str:
    return f"user:{user_id}"
