"""Schemas for sending, editing, listing and searching messages."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gateway.domain.messages import Direction, MessageStatus
from gateway.v1.schemas.fields import (
    MAX_BIGINT,
    MIN_BIGINT,
    Body,
    Content,
    Cursor,
    Limit,
    MessageBody,
    Metadata,
    Number,
    Query,
    Seq,
    Text255,
    Uuid,
    Word,
    not_blank,
)
from realtime_bridge.event_log.append import NewMessage


class EditMessage(Body):
    """Other words; `metadata` stays when it is left out. Empty content is for messages with attachments."""

    content: Content
    metadata: Metadata | None = None


def _storable(words: str) -> str:
    if "\0" in words:
        raise PydanticCustomError("nul_character", "Remove the NUL character.")
    return not_blank(words)


class SearchMessages(Query):
    q: Annotated[
        str,
        StringConstraints(min_length=1, max_length=200),
        AfterValidator(_storable),
        Field(description="All of these words must occur, each as the beginning of one."),
    ]
    conversation_id: Annotated[
        Annotated[int, Field(ge=1, le=MAX_BIGINT), Number] | None,
        Field(alias="conversationId", description="Only messages of this conversation."),
    ] = None
    limit: Limit = 20
    cursor: Cursor | None = None


MAX_ATTACHMENTS = 10


def _without_words(schema: dict[str, Any]) -> None:
    del schema["required"]  # content, unless there are attachments
    schema["minProperties"] = 1


class SendMessage(MessageBody):
    """Words, attachments or both. With attachments, messageType follows from them when it is left out."""

    model_config = ConfigDict(json_schema_extra=_without_words)

    attachment_ids: Annotated[list[Uuid], Field(max_length=MAX_ATTACHMENTS)] = Field(default_factory=list)
    content: Content
    direction: Annotated[Direction, Word] = Direction.OUTGOING

    @model_validator(mode="before")
    @classmethod
    def _files_are_enough(cls, sent: Any) -> Any:
        return {"content": ""} | sent if isinstance(sent, dict) and sent.get("attachmentIds") else sent

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
        named = self.named() | {"attachment_ids": tuple(self.attachment_ids)}
        if self.attachment_ids and not self.model_fields_set & {"type", "message_type"}:
            named["message_type"] = None
        return NewMessage(**named)


class ChangeStatus(Body):
    status: Annotated[MessageStatus, Word]
    provider_message_id: Text255 | None = None


class ShowMessages(Query):
    """How messages are shown: with `contentHtml`, which is safe to put on a page, when asked for."""

    include: Annotated[Literal["contentHtml"] | None, Field(description="Adds the content as sanitised HTML.")] = None


class ListVersions(Query):
    after_version: Annotated[int, Field(ge=0, le=2**31 - 1, description="Newer ones."), Number] = 0
    limit: Limit = 50


class ListMessages(ShowMessages):
    """`before_seq` and `after_seq` are both exclusive; imported history has numbers below zero."""

    before_seq: Annotated[int, Field(ge=MIN_BIGINT, le=MAX_BIGINT, description="Older ones."), Seq] | None = None
    after_seq: Annotated[int, Field(ge=MIN_BIGINT, le=MAX_BIGINT, description="Newer ones."), Seq] | None = None
    limit: Limit = 50
