"""Schemas for participants: role, reading mark, typing."""

from typing import Annotated

from pydantic import Field

from gateway.v1.schemas.conversations import ParticipantBody
from gateway.v1.schemas.fields import MAX_BIGINT, Body, Text128, Uuid, Whole


class PutParticipant(ParticipantBody): ...


class MarkRead(Body):
    """Everything up to `seq`, by `userId`; by the account's own user when that is left out."""

    seq: Annotated[int, Field(ge=0, le=MAX_BIGINT, description="Read up to here."), Whole]
    user_id: Annotated[Uuid | None, Field(description="Who has read; left out, the account's own user.")] = None


class Typing(Body):
    user_id: Annotated[Uuid | None, Field(description="Who types; left out, the account's own user.")] = None
    is_typing: Annotated[bool, Field(description="False when they have stopped.")] = True
    username: Annotated[Text128 | None, Field(description="A name to show beside the sign.")] = None
