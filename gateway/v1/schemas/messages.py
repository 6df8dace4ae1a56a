"""What requests may say about conversations, messages and sessions: field by field. Used by the views only."""

import json
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from gateway.domain.messages import (
    ConversationStatus,
    Direction,
    MessageStatus,
    NewConversation,
    NewMessage,
    NewParticipant,
    Role,
    StatusChange,
)
from gateway.v1.schemas.fields import (
    MAX_BIGINT,
    MAX_PAGE,
    MIN_BIGINT,
    Body,
    Content,
    Cursor,
    Metadata,
    Moment,
    Number,
    OfMessageType,
    Query,
    Seq,
    Text128,
    Text255,
    Uuid,
    Whole,
    Word,
    YesOrNo,
    not_blank,
)

MAX_PARTICIPANTS = 100
MAX_SESSION_CONVERSATIONS = 100  # what a client shows at a time; for more it asks again
MAX_ATTACHMENTS = 10
MAX_LIMIT = 100


class ParticipantBody(Body):
    user_id: Uuid
    role: Annotated[Role, Word] = Role.CLIENT


class CreateConversation(Body):
    contact_jid: Text255
    contact_name: Text255 | None = None
    channel: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$")] = "api"
    status: Annotated[ConversationStatus, Word] = ConversationStatus.OPEN
    assigned_agent_id: Uuid | None = None
    assigned_bot_id: Text255 | None = None
    participants: Annotated[list[ParticipantBody], Field(max_length=MAX_PARTICIPANTS)] = Field(default_factory=list)

    def to_domain(self) -> NewConversation:
        return NewConversation(
            contact_jid=self.contact_jid,
            contact_name=self.contact_name,
            channel=self.channel,
            status=self.status,
            assigned_agent_id=self.assigned_agent_id,
            assigned_bot_id=self.assigned_bot_id,
            participants=tuple(NewParticipant(user_id=p.user_id, role=p.role) for p in self.participants),
        )


class SendMessage(OfMessageType):
    """Content may be empty when there are attachments; then messageType says of what kind they are."""

    attachment_ids: Annotated[list[Uuid], Field(max_length=MAX_ATTACHMENTS)] = Field(default_factory=list)
    content: Content
    direction: Annotated[Direction, Word] = Direction.OUTGOING
    client_message_id: Text128 | None = None
    sender_id: Text255 | None = None
    reply_to_id: Annotated[int, Field(ge=1, le=MAX_BIGINT), Whole] | None = None
    metadata: Metadata = Field(default_factory=dict)

    @field_validator("attachment_ids")
    @classmethod
    def _once(cls, ids: list[UUID]) -> list[UUID]:
        if len(set(ids)) < len(ids):
            raise PydanticCustomError("duplicate", "Name each attachment once.")
        return ids

    @field_validator("content")
    @classmethod
    def _says_something(cls, content: str, info: ValidationInfo) -> str:
        return content if info.data.get("attachment_ids") else not_blank(content)

    def to_domain(self) -> NewMessage:
        return NewMessage(
            content=self.content,
            message_type=self.kind,
            direction=self.direction,
            client_message_id=self.client_message_id,
            sender_id=self.sender_id,
            reply_to_id=self.reply_to_id,
            metadata=json.dumps(self.metadata, allow_nan=False),
            attachment_ids=tuple(self.attachment_ids),
        )


class ChangeStatus(Body):
    status: Annotated[MessageStatus, Word]
    provider_message_id: Text255 | None = None

    def to_domain(self) -> StatusChange:
        return StatusChange(status=self.status, provider_message_id=self.provider_message_id)


class CreateRealtimeSession(Body):
    """`conversationIds` are those the client shows; left out, its latest ones."""

    user_id: Annotated[Uuid, Field(description="The signed-in user whom the session is for.")]
    conversation_ids: (
        Annotated[list[Annotated[int, Field(ge=1, le=MAX_BIGINT), Whole]], Field(max_length=MAX_SESSION_CONVERSATIONS)]
        | None
    ) = None


def _at_most_100(limit: int) -> int:
    """As in the first design, of which this was the one list: who asks for more is given what there is at most."""
    return min(limit, MAX_LIMIT)


class ListConversations(Query):
    status: ConversationStatus | None = None
    assigned_to: Annotated[Uuid | None, Field(alias="assignedTo", description="The agent.")] = None
    channel: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$")] | None = None
    unread: Annotated[bool | None, YesOrNo] = None
    updated_since: Annotated[Moment | None, Field(alias="updatedSince", description="Changed then or later.")] = None
    limit: Annotated[
        int,
        Field(ge=1, le=MAX_BIGINT, description="How many at most; more than 100 is 100."),
        Number,
        AfterValidator(_at_most_100),
    ] = 20
    page: (
        Annotated[int, Field(ge=1, le=MAX_PAGE, description="For those who count pages; not with `cursor`."), Number]
        | None
    ) = None
    cursor: Cursor | None = None


class ShowMessages(Query):
    """How messages are shown: with `contentHtml`, which is safe to put on a page, when asked for."""

    include: Annotated[Literal["contentHtml"] | None, Field(description="Adds the content as sanitised HTML.")] = None


class ListVersions(Query):
    after_version: Annotated[int, Field(ge=0, le=2**31 - 1, description="Newer ones."), Number] = 0
    limit: Annotated[int, Field(ge=1, le=100), Number] = 50


class ListMessages(ShowMessages):
    """`before_seq` and `after_seq` are both exclusive; imported history has numbers below zero."""

    before_seq: Annotated[int, Field(ge=MIN_BIGINT, le=MAX_BIGINT, description="Older ones."), Seq] | None = None
    after_seq: Annotated[int, Field(ge=MIN_BIGINT, le=MAX_BIGINT, description="Newer ones."), Seq] | None = None
    limit: Annotated[int, Field(ge=1, le=100), Number] = 50
