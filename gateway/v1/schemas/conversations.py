"""Schemas for making, changing, assigning and listing conversations."""

from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.domain.conversations import ConversationStatus, NewConversation, NewParticipant, Priority, Role
from gateway.v1.schemas.fields import (
    MAX_BIGINT,
    MAX_PAGE,
    Body,
    Changes,
    ChannelName,
    Cursor,
    Moment,
    Number,
    Query,
    Text255,
    Uuid,
    Word,
    YesOrNo,
)

MAX_PARTICIPANTS = 100
MAX_LIMIT = 100


class ParticipantBody(Body):
    user_id: Uuid = Field(description="A user of the project, whom your account may name.")
    role: Annotated[Role, Word] = Role.CLIENT


class CreateConversation(Body):
    contact_jid: Text255
    contact_name: Text255 | None = None
    channel: ChannelName = "api"
    status: Annotated[ConversationStatus, Word] = ConversationStatus.OPEN
    priority: Annotated[Priority, Word] = Priority.NORMAL
    assigned_agent_id: Uuid | None = None
    assigned_bot_id: Text255 | None = None
    participants: Annotated[list[ParticipantBody], Field(max_length=MAX_PARTICIPANTS)] = Field(default_factory=list)

    def to_domain(self) -> NewConversation:
        return self.into(NewConversation, participants=tuple(one.into(NewParticipant) for one in self.participants))


def _at_most_100(limit: int) -> int:
    """As in the first design, of which this was the one list: who asks for more is given what there is at most."""
    return min(limit, MAX_LIMIT)


class ListConversations(Query):
    status: Annotated[ConversationStatus | None, Field(description="Only conversations of this status.")] = None
    priority: Annotated[Priority | None, Field(description="Only conversations of this priority.")] = None
    assigned_to: Annotated[Uuid | None, Field(alias="assignedTo", description="The agent.")] = None
    channel: Annotated[ChannelName | None, Field(description="Only conversations of this channel.")] = None
    unread: Annotated[bool | None, YesOrNo, Field(description="Only with unread messages, or only without.")] = None
    updated_since: Annotated[Moment | None, Field(alias="updatedSince", description="Changed then or later.")] = None
    limit: Annotated[
        int,
        Field(ge=1, le=MAX_BIGINT, description="How many at most; more than 100 is 100."),
        Number,
        AfterValidator(_at_most_100),
    ] = 20
    page: Annotated[
        int | None, Field(ge=1, le=MAX_PAGE, description="For those who count pages; not with `cursor`."), Number
    ] = None
    cursor: Cursor | None = None


class PatchConversation(Changes):
    """What is left out stays; `snoozedUntil` goes with the status snoozed, and null sleeps until somebody wakes it."""

    contact_jid: Text255 = ""
    contact_name: Text255 | None = None
    status: Annotated[ConversationStatus, Word] = ConversationStatus.OPEN
    priority: Annotated[Priority, Word] = Priority.NORMAL
    snoozed_until: Moment | None = None


class AssignConversation(Changes):
    """Who is to answer: a person, a bot, both or neither. What is left out stays; null takes away."""

    agent_id: Annotated[Uuid | None, Field(description="A person, by id; null for nobody.")] = None
    bot_id: Annotated[Text255 | None, Field(description="A bot, in words of yours; null for none.")] = None
