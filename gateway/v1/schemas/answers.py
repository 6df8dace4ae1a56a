"""Schemas of answers beside conversations and messages. Made in SQL, only described here; tests compare."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gateway.domain.keys import Scope
from gateway.shapes.chat import Answer, Attachment, Attachments, ContentHtml, Message, Metadata, Seq

LOG_ENTRY = "LogEntry"  # the component that any event of the log is
LastError = Annotated[str | None, Field(description="What the latest failure was; null when there was none.")]


class Account(Answer):
    id: UUID
    content_html: bool = Field(description="Whether content is shown with its safe form everywhere.")
    updated_at: datetime | None = Field(description="Null until something was chosen.")


class FoundMessage(Message):
    highlight: str = Field(description="The content, safe as HTML, with <mark> around what was looked for.")


class MessageVersion(Answer):
    version: int = Field(description="Which version it was.")
    content: str = Field(description="What it said.")
    metadata: Metadata
    attachments: Attachments
    replaced_by: Literal["edit", "deletion"] = Field(description="What came in its place.")
    replaced_at: datetime = Field(description="When it no longer said so.")
    content_html: ContentHtml


class ImportedItem(Answer):
    index: int = Field(description="Which of the sent messages it is about, from 0.")
    status: Literal["imported", "duplicate", "invalid"] = Field(description="What became of it.")
    id: Annotated[int | None, Field(description="The message's id.")] = None
    seq: Seq | None = None
    code: Annotated[str | None, Field(description="What is wrong with it.")] = None
    pointer: Annotated[str | None, Field(description="Where, as a JSON Pointer into the message.")] = None
    detail: Annotated[str | None, Field(description="What is wrong and what to do about it, for people.")] = None


class Imported(Answer):
    imported: int = Field(description="How many are new.")
    duplicate: int = Field(description="How many were there already.")
    invalid: int = Field(description="How many were refused.")
    results: list[ImportedItem]


class TypingTold(Answer):
    told: bool = Field(description="False for one too many within a second.")


class Present(Answer):
    user_id: UUID = Field(description="Who is connected.")
    sides: list[str] = Field(description="Over which sides: legacy sockets, Supabase, or both.")


class Upload(Answer):
    method: str = Field(description="How to send the bytes.")
    url: str = Field(description="Where to; it is the permission, and needs no key.")
    headers: dict[str, str] = Field(description="What to send with them.")
    expires_at: datetime = Field(description="When that address stops working.")


class Download(Answer):
    url: str = Field(description="Where to GET the file, without a key.")
    expires_at: datetime = Field(description="When that address stops working.")


class AttachmentState(Attachment):
    state: Literal["pending", "ready", "rejected"] = Field(
        description="`pending` until confirmed, then `ready`, or `rejected` when the bytes are not what was announced."
    )
    message_id: int | None = Field(description="The message that it was sent with; null before.")
    created_at: datetime


class NewAttachment(AttachmentState):
    upload: Upload = Field(description="Where and how to put the bytes.")


class ShownAttachment(AttachmentState):
    download: Download | None = Field(description="Where to get it, for a short time; null until it is `ready`.")


class Key(Answer):
    id: str = Field(description="Its id: not secret, and what revoke and rotate take.")
    name: str = Field(description="What people call it.")
    prefix: str = Field(description="How the key begins: enough to tell keys apart, not to use one.")
    scopes: list[Scope] = Field(description="What it may do.")
    rate_limit: int | None = Field(description="Requests a minute; null for the deployment's default.")
    send_rate_limit: int | None = Field(description="Messages a minute; null for the deployment's default.")
    state: Literal["active", "revoked", "expired"] = Field(description="Whether it works now.")
    created_at: datetime
    expires_at: datetime | None = Field(description="When it stops working; null for never.")
    revoked_at: datetime | None = Field(description="When it was revoked; null while it was not.")
    last_used_at: datetime | None = Field(
        description="When it was last used, half a minute late at most; null for never."
    )
    replaced_by: str | None = Field(description="The id of the key that it was rotated to.")


class NewKey(Key):
    key: str = Field(description="The only time it is shown.")


class RotatedKey(NewKey):
    replaces: Key = Field(description="The key that was rotated, with the time until which it still works.")


class Channel(Answer):
    id: UUID
    kind: Literal["wuzapi"]
    name: str
    base_url: str
    provider_user_id: str | None
    enabled: bool
    webhook_path: str = Field(description="Where the messenger sends its events to, on this gateway.")
    consecutive_failures: int = Field(description="How many sends have failed in a row.")
    last_error: LastError
    last_error_at: datetime | None = Field(description="When that was.")
    created_at: datetime
    updated_at: datetime


class NewChannel(Channel):
    hmac_key: str | None = Field(description="The only time it is shown.")


class Pagination(Answer):
    page: int | None = Field(description="The page's number, where pages are counted; else null.")
    limit: int | None = Field(description="How many were asked for.")
    total: int | None = Field(description="Stops counting at 10,000; null where nobody counts.")
    has_more: bool = Field(description="Whether there is more.")
    next_cursor: str | None = Field(description="What to send for the next page; null at the end.")


class FieldFault(Answer):
    code: str = Field(description="What kind of fault it is.")
    detail: str = Field(description="What to send instead.")
    pointer: Annotated[str | None, Field(description="JSON Pointer (RFC 6901) into the body.")] = None
    parameter: Annotated[str | None, Field(description="Name of the query parameter.")] = None


class Problem(BaseModel):
    """RFC 9457. Other members may appear; what a code means is in `type`."""

    model_config = ConfigDict(alias_generator=to_camel)

    type: str = Field(description="A path that explains the code, on this gateway.")
    title: str = Field(description="What the code means, in a few words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong and what to do about it, for people.")
    code: str = Field(description="A word that never changes; see `/docs/problems`.")
    request_id: str = Field(description="Names the request in our log.")
    errors: list[FieldFault] = Field(default_factory=list, description="Each faulty field or parameter.")
