"""What requests may say about realtime sessions."""

from typing import Annotated

from pydantic import (
    Field,
)

from gateway.v1.schemas.fields import MAX_BIGINT, Body, Uuid, Whole

MAX_SESSION_CONVERSATIONS = 100  # what a client shows at a time; for more it asks again


class CreateRealtimeSession(Body):
    """`conversationIds` are those the client shows; left out, its latest ones."""

    user_id: Annotated[Uuid, Field(description="The signed-in user whom the session is for.")]
    conversation_ids: (
        Annotated[list[Annotated[int, Field(ge=1, le=MAX_BIGINT), Whole]], Field(max_length=MAX_SESSION_CONVERSATIONS)]
        | None
    ) = None
