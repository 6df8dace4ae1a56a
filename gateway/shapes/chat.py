"""Shapes of conversations, messages and notices. Of these, answers, events and their descriptions are made.

A field is written down here once, with its words and, where its type gives none, its example. OpenAPI, the schemas and
examples of webhooks and the words of requests come from here; values come from SQL, and tests compare.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gateway.domain.conversations import ConversationStatus, Priority
from gateway.domain.messages import Direction, MessageStatus, MessageType

Id = Annotated[int, Field(ge=1)]
Seq = Annotated[int, Field(description="Number of the event in its conversation, without gaps.")]
ContentHtml = Annotated[
    str,
    Field(
        default_factory=str,
        description="`content` as HTML that is safe on a page; with `include=contentHtml`, or as the account chose.",
    ),
]
Content = Annotated[
    str,
    Field(
        description="The text, as it was written. It is not HTML: escape it, or ask for `contentHtml`.",
        examples=["This is a test."],
    ),
]
Metadata = Annotated[dict[str, Any], Field(description="A JSON object of yours, at most 4 KB; kept and told as it is.")]


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class Participant(Answer):
    user_id: UUID = Field(description="The participant.")
    role: Literal["owner", "agent", "client", "supervisor"] = Field(
        description="What they are in the conversation: `owner`, `agent`, `client` or `supervisor`."
    )
    last_read_seq: int = Field(description="Up to here this participant has read.")
    joined_at: datetime = Field(description="When they were let in.")


class Attachment(Answer):
    id: UUID
    file_name: str = Field(description="The name of the file, without a path.")
    content_type: str = Field(
        description="The media type, such as `image/png`; told from the bytes once they are there."
    )
    size_bytes: int = Field(description="How many bytes the file has.")


Attachments = Annotated[list[Attachment], Field(description="The files that go with it.")]


class ConversationFields(Answer):
    id: Id
    contact_jid: str = Field(
        description="The contact's address: an e-mail address, a WhatsApp id, or any other text of yours.",
        examples=["contact@example.com"],
    )
    contact_name: str | None = Field(description="What people call the contact.", examples=["Ann"])
    channel: str = Field(
        description="Where the conversation takes place: `api`, or the name of one of your channels.",
        examples=["api"],
    )
    status: ConversationStatus = Field(description="Whether it is open, pending, resolved or snoozed.")
    priority: Priority = Field(
        description="How soon it wants an answer: `low`, `normal`, `high` or `urgent`.", examples=["normal"]
    )
    snoozed_until: datetime | None = Field(
        description="When a snoozed conversation opens by itself; null for when somebody wakes it."
    )
    assigned_agent_id: UUID | None = Field(description="The person who is to answer; null for nobody.")
    assigned_bot_id: str | None = Field(description="The bot that is to answer; null for none.")
    last_message_at: datetime | None = Field(description="When the newest message was written; null without any.")
    last_message_preview: str | None = Field(
        description="The newest message's first 100 characters, or `[image]` and the like."
    )
    last_message_preview_html: str | None = Field(
        default_factory=str, description="The preview as safe HTML, when the account chose so."
    )
    unread_count: int = Field(ge=0, description="How many incoming messages nobody on the account's side has read.")
    read_seq: int = Field(description="Up to here somebody on the account's side has read.", examples=[0])
    first_seq: int = Field(description="Imported history goes down to this number.")
    created_at: datetime
    updated_at: datetime


class ListedConversation(ConversationFields):
    last_seq: int = Field(ge=0, description="Number of the newest event.")


class Conversation(ListedConversation):
    participants: list[Participant] = Field(description="Who takes part.")


class ToldConversation(ConversationFields):
    """As events tell of it."""

    seq: Seq = Field(examples=[0])
    event_id: UUID
    participants: list[Participant] = Field(
        default_factory=list, description="Only when they, or their reading marks, have changed."
    )


class Message(Answer):
    id: Id
    conversation_id: Id
    seq: Seq
    event_id: UUID
    message_seq: int = Field(description="The message's own place; below zero for imported history.")
    version: int = Field(ge=1, description="Counts the edits: 1 as first written.")
    content: Content
    direction: Direction = Field(description="`incoming` from the contact, `outgoing` to it.")
    status: MessageStatus = Field(
        description="How far it has come: pending, sent, delivered, read; or failed.", examples=["delivered"]
    )
    message_type: MessageType = Field(description="Of what kind the message is.")
    metadata: Metadata
    attachments: Attachments
    client_message_id: str | None = Field(
        description="Your own id of the message, unique in its conversation: sending it again changes nothing."
    )
    provider_message_id: str | None = Field(description="The messenger's own id of the message, once it has one.")
    sender_id: str | None = Field(description="Who wrote it, in words of yours; null when nobody said.")
    reply_to_id: Id | None = Field(description="The message that this one answers, of the same conversation.")
    created_at: datetime
    updated_at: datetime
    edited_at: datetime | None = Field(description="When it was last edited; null when it never was.")
    deleted_at: datetime | None = Field(description="When its words were taken away; null while it stands.")
    content_html: ContentHtml


class EndpointNotice(Answer):
    """That another endpoint of the account fails, or does well again."""

    webhook_id: Id = Field(description="The endpoint that it is about.")
    url: str = Field(description="Where that endpoint's events go.", examples=["https://example.com/hooks"])
    reason: str = Field(description="Why, in a sentence.", examples=["5 attempts failed in a row."])
    at: datetime = Field(description="When it was noticed.")


class Greeting(Answer):
    webhook_id: Id
    message: str = Field(description="A greeting.", examples=["Hello from Crossfade."])
