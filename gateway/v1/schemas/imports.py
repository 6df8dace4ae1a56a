"""What requests may say about messages that are there already, were elsewhere, or are looked for; and about files."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from gateway.domain.attachments import MAX_BYTES, NewAttachment
from gateway.domain.conversations import Edit, ImportedMessage
from gateway.domain.messages import Direction, MessageStatus
from gateway.v1.schemas.fields import (
    MAX_BIGINT,
    Body,
    Content,
    Cursor,
    Metadata,
    Moment,
    Number,
    OfMessageType,
    Query,
    Text128,
    Text255,
    Whole,
    Word,
    not_blank,
)

MAX_IMPORT = 500
MAX_IMPORT_BYTES = 4_194_304  # 500 messages of the largest content, with room for their metadata
CLOCK_SKEW = timedelta(seconds=60)  # of the machine that a message comes from


class EditMessage(Body):
    """Other words; `metadata` stays when it is left out. Empty content is for messages with attachments."""

    content: Content
    metadata: Metadata | None = None

    def to_domain(self) -> Edit:
        return Edit(content=self.content, metadata=None if self.metadata is None else json.dumps(self.metadata))


def _not_ahead(moment: datetime) -> datetime:
    if moment > datetime.now(UTC) + CLOCK_SKEW:
        raise PydanticCustomError("out_of_range", "Send a time that has passed.")
    return moment


class ImportMessage(OfMessageType):
    content: Annotated[Content, AfterValidator(not_blank)]
    created_at: Annotated[Moment, AfterValidator(_not_ahead), Field(description="When it was written, elsewhere.")]
    direction: Annotated[Direction, Word]
    status: Annotated[MessageStatus, Word] = MessageStatus.READ
    client_message_id: Text128 | None = None
    provider_message_id: Text255 | None = None
    sender_id: Text255 | None = None
    reply_to_id: Annotated[int, Field(ge=1, le=MAX_BIGINT), Whole] | None = None
    metadata: Metadata = Field(default_factory=dict)

    def to_domain(self, index: int) -> ImportedMessage:
        return ImportedMessage(
            index=index,
            content=self.content,
            message_type=self.kind,
            direction=self.direction,
            status=self.status,
            created_at=self.created_at,
            client_message_id=self.client_message_id,
            provider_message_id=self.provider_message_id,
            sender_id=self.sender_id,
            reply_to_id=self.reply_to_id,
            metadata=json.dumps(self.metadata, allow_nan=False),
        )


class ImportMessages(Body):
    """The items are checked one by one, each against ImportMessage: one that is wrong leaves the others alone."""

    messages: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_IMPORT)]
    announce: Annotated[bool, Field(description="Whether subscribers are told of each, as of a new message.")] = False


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
        Annotated[int, Field(ge=1, le=MAX_BIGINT), Number] | None, Field(alias="conversationId")
    ] = None
    limit: Annotated[int, Field(ge=1, le=100), Number] = 20
    cursor: Cursor | None = None


def _content_type(value: object) -> object:
    """Without parameters, in lower case: what the list of allowed types has."""
    return value.partition(";")[0].strip().lower() if isinstance(value, str) else value


def _allowed(content_type: str) -> str:
    if content_type not in MAX_BYTES:
        raise PydanticCustomError("not_allowed", "Send one of {types}.", {"types": ", ".join(sorted(MAX_BYTES))})
    return content_type


class CreateAttachment(Body):
    file_name: Annotated[str, StringConstraints(pattern=r"^[^/\\\x00-\x1f\x7f\"]{1,200}$"), AfterValidator(not_blank)]
    content_type: Annotated[str, BeforeValidator(_content_type), AfterValidator(_allowed)]
    size_bytes: Annotated[int, Field(ge=1), Whole]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        most = MAX_BYTES[self.content_type]
        if self.size_bytes > most:
            words = {"max": most, "kind": self.content_type}
            raise PydanticCustomError("too_large", "Send at most {max} bytes of {kind}.", words)
        return self

    def to_domain(self) -> NewAttachment:
        return NewAttachment(file_name=self.file_name, content_type=self.content_type, size_bytes=self.size_bytes)
