"""What requests may change in a conversation: fields, assignment, participants, reading marks, signs of typing."""

from typing import Annotated, Any

from pydantic import Field

from gateway.domain.conversations import UNSET, Assignment, ConversationPatch
from gateway.domain.messages import ConversationStatus, Role
from gateway.v1.schemas.fields import MAX_BIGINT, Body, Changes, Moment, Text128, Text255, Uuid, Whole, Word


class PatchConversation(Changes):
    """What is left out stays; `snoozedUntil` goes with the status snoozed, and null sleeps until somebody wakes it."""

    contact_jid: Text255 = ""
    contact_name: Text255 | None = None
    status: Annotated[ConversationStatus, Word] = ConversationStatus.OPEN
    snoozed_until: Moment | None = None

    def to_domain(self) -> ConversationPatch:
        named: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        return ConversationPatch(**named)


class AssignConversation(Changes):
    """Who is to answer: a person, a bot, both or neither. What is left out stays; null takes away."""

    agent_id: Annotated[Uuid | None, Field(description="A person, by id; null for nobody.")] = None
    bot_id: Annotated[Text255 | None, Field(description="A bot, in words of yours; null for none.")] = None

    def to_domain(self) -> Assignment:
        named = self.model_fields_set
        return Assignment(
            agent_id=self.agent_id if "agent_id" in named else UNSET,
            bot_id=self.bot_id if "bot_id" in named else UNSET,
        )


class PutParticipant(Body):
    user_id: Uuid
    role: Annotated[Role, Word] = Role.CLIENT


class MarkRead(Body):
    """Everything up to `seq`, by `userId`; by the account's own user when that is left out."""

    seq: Annotated[int, Field(ge=0, le=MAX_BIGINT, description="Read up to here."), Whole]
    user_id: Annotated[Uuid | None, Field(description="Who has read; left out, the account's own user.")] = None


class Typing(Body):
    user_id: Annotated[Uuid | None, Field(description="Who types; left out, the account's own user.")] = None
    is_typing: Annotated[bool, Field(description="False when they have stopped.")] = True
    username: Annotated[Text128 | None, Field(description="A name to show beside the sign.")] = None
