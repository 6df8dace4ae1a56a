"""What answers and events hold, field by field. Only described by these: they are made in SQL, and tests compare."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gateway.domain import ConversationStatus, Direction, MessageStatus, MessageType, Scope

Id = Annotated[int, Field(ge=1)]
ContentHtml = Annotated[
    str | None,
    Field(description="`content` as HTML that is safe on a page; with `include=contentHtml`, or as the account chose."),
]
PreviewHtml = Annotated[str | None, Field(description="The preview as safe HTML, when the account chose so.")]


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class Participant(Answer):
    user_id: UUID
    role: Literal["owner", "agent", "client", "supervisor"]
    last_read_seq: int
    joined_at: datetime


class Attachment(Answer):
    id: UUID
    file_name: str
    content_type: str
    size_bytes: int


class ConversationFields(Answer):
    id: Id
    contact_jid: str
    contact_name: str | None
    channel: str
    status: ConversationStatus
    snoozed_until: datetime | None
    assigned_agent_id: UUID | None
    assigned_bot_id: str | None
    last_message_at: datetime | None
    last_message_preview: str | None
    last_message_preview_html: PreviewHtml = None
    unread_count: Annotated[int, Field(ge=0)]
    read_seq: Annotated[int, Field(description="Up to here somebody on the account's side has read.")]
    first_seq: Annotated[int, Field(description="Imported history goes down to this number.")]
    created_at: datetime
    updated_at: datetime


class ListedConversation(ConversationFields):
    last_seq: Annotated[int, Field(ge=0, description="Number of the newest event.")]


class Conversation(ListedConversation):
    participants: list[Participant]


class Message(Answer):
    id: Id
    conversation_id: Id
    seq: Annotated[int, Field(description="Number of the event in its conversation, without gaps.")]
    event_id: UUID
    message_seq: Annotated[int, Field(description="The message's own place; below zero for imported history.")]
    version: Annotated[int, Field(ge=1)]
    content: str
    direction: Direction
    status: MessageStatus
    message_type: MessageType
    metadata: dict[str, Any]
    attachments: list[Attachment]
    client_message_id: str | None
    provider_message_id: str | None
    sender_id: str | None
    reply_to_id: int | None
    created_at: datetime
    updated_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    content_html: ContentHtml = None


class Account(Answer):
    id: UUID
    content_html: Annotated[bool, Field(description="Whether content is shown with its safe form everywhere.")]
    updated_at: Annotated[datetime | None, Field(description="Null until something was chosen.")]


class FoundMessage(Message):
    highlight: Annotated[str, Field(description="The content, safe as HTML, with <mark> around what was looked for.")]


class MessageVersion(Answer):
    version: int
    content: str
    metadata: dict[str, Any]
    attachments: list[Attachment]
    replaced_by: Literal["edit", "deletion"]
    replaced_at: datetime
    content_html: ContentHtml = None


class ImportedItem(Answer):
    index: int
    status: Literal["imported", "duplicate", "invalid"]
    id: int | None = None
    seq: int | None = None
    code: str | None = None
    pointer: str | None = None
    detail: str | None = None


class Imported(Answer):
    imported: int
    duplicate: int
    invalid: int
    results: list[ImportedItem]


class TypingTold(Answer):
    told: Annotated[bool, Field(description="False for one too many within a second.")]


class Present(Answer):
    user_id: UUID
    sides: list[str]


class Upload(Answer):
    method: str
    url: str
    headers: dict[str, str]
    expires_at: datetime


class Download(Answer):
    url: str
    expires_at: datetime


class AttachmentState(Attachment):
    state: Literal["pending", "ready", "rejected"]
    message_id: int | None
    created_at: datetime


class NewAttachment(AttachmentState):
    upload: Upload


class ShownAttachment(AttachmentState):
    download: Download | None


class Key(Answer):
    id: str
    name: str
    prefix: str
    scopes: list[Scope]
    rate_limit: int | None
    send_rate_limit: int | None
    state: Literal["active", "revoked", "expired"]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None


class NewKey(Key):
    key: Annotated[str, Field(description="The only time it is shown.")]


class RotatedKey(NewKey):
    replaces: Key


class Channel(Answer):
    id: UUID
    kind: Literal["wuzapi"]
    name: str
    base_url: str
    provider_user_id: str | None
    enabled: bool
    webhook_path: str
    consecutive_failures: int
    last_error: str | None
    last_error_at: datetime | None
    created_at: datetime
    updated_at: datetime


class NewChannel(Channel):
    hmac_key: Annotated[str | None, Field(description="The only time it is shown.")]


class Pagination(Answer):
    page: int | None
    limit: int | None
    total: Annotated[int | None, Field(description="Stops counting at 10,000; null where nobody counts.")]
    has_more: bool
    next_cursor: str | None


class FieldFault(Answer):
    code: str
    detail: str
    pointer: Annotated[str | None, Field(description="JSON Pointer (RFC 6901) into the body.")] = None
    parameter: Annotated[str | None, Field(description="Name of the query parameter.")] = None


class Problem(BaseModel):
    """RFC 9457. Other members may appear; what a code means is in `type`."""

    model_config = ConfigDict(alias_generator=to_camel)

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldFault] = Field(default_factory=list)
