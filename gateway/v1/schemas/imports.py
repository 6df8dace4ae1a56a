"""Schemas for importing messages from elsewhere."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from gateway.domain.messages import Direction, ImportedMessage, MessageStatus
from gateway.v1.schemas.fields import (
    Body,
    Content,
    MessageBody,
    Moment,
    Text255,
    Word,
    not_blank,
)

MAX_IMPORT = 500
MAX_IMPORT_BYTES = 4_194_304  # 500 messages of the largest content, with room for their metadata
CLOCK_SKEW = timedelta(seconds=60)  # of the machine that a message comes from


def _not_ahead(moment: datetime) -> datetime:
    if moment > datetime.now(UTC) + CLOCK_SKEW:
        raise PydanticCustomError("out_of_range", "Send a time that has passed.")
    return moment


class ImportMessage(MessageBody):
    content: Annotated[Content, AfterValidator(not_blank)]
    created_at: Annotated[Moment, AfterValidator(_not_ahead), Field(description="When it was written, elsewhere.")]
    direction: Annotated[Direction, Word]
    status: Annotated[MessageStatus, Word] = MessageStatus.READ
    provider_message_id: Text255 | None = None

    def to_domain(self, index: int) -> ImportedMessage:
        return ImportedMessage(index=index, **self.named())


class ImportMessages(Body):
    """The items are checked one by one, each against ImportMessage: one that is wrong leaves the others alone."""

    messages: list[dict[str, Any]] = Field(
        min_length=1,
        max_length=MAX_IMPORT,
        json_schema_extra={"items": {"$ref": "#/components/schemas/ImportMessage"}},
    )
    announce: Annotated[bool, Field(description="Whether subscribers are told of each, as of a new message.")] = False
