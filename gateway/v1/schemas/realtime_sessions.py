"""Schemas of realtime sessions, asked for and answered."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from gateway.shapes.chat import Answer, Id
from gateway.v1.schemas.fields import MAX_BIGINT, Body, Uuid, Whole
from realtime_bridge.rollout.dial.decision import Source
from realtime_bridge.rollout.dial.stages import StageName
from realtime_bridge.shared.variables import Told

MAX_SESSION_CONVERSATIONS = 100  # what a client shows at a time; for more it asks again


class CreateRealtimeSession(Body):
    """`conversationIds` are those the client shows; left out, its latest ones."""

    user_id: Uuid = Field(description="The signed-in user whom the session is for.")
    conversation_ids: list[Annotated[int, Field(ge=1, le=MAX_BIGINT), Whole]] | None = Field(
        default=None, max_length=MAX_SESSION_CONVERSATIONS
    )


class ProviderReason(Answer):
    """Why this provider: what decided, and the figures it decided by."""

    source: Source
    stage: StageName | None = Field(description="Where the dial stands; null without a rollout.")
    percentage: float | None
    bucket: int = Field(ge=0, lt=10_000, description="Of the user; always the same.")


class CatchUpPlace(Answer):
    conversation_id: Id
    seq: int = Field(ge=0, description="Fetch what comes after the last one you have seen, up to here.")


class RealtimeSide(Answer):
    provider: Told = Field(description="The side to connect to.")
    url: str | None = Field(description="Null: the address of the legacy sockets, which clients know.")
    path: str | None = Field(description="Of Socket.IO.")
    public_key: str | None = Field(description="Supabase's publishable key.")
    topics: list[str] = Field(description="Private channels to join; none with Socket.IO.")


class RealtimeSession(RealtimeSide):
    reason: ProviderReason = Field(description="Why this provider.")
    version: int | None = Field(description="Rises with every change of the dial.")
    user_id: UUID = Field(description="Whose session it is.")
    standby: RealtimeSide | None = Field(
        description="The other side, while both are fed: a client that listens there, too, notices no outage."
    )
    token: str = Field(description="A JWT of the user. Ask for a new session before it ends.")
    expires_at: datetime = Field(description="When the token ends.")
    catch_up: list[CatchUpPlace] = Field(description="The newest `seq` of each conversation.")
