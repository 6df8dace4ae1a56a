"""`/conversations`: parse, call the service, render.

A conversation is shown with the fields of its events, `lastSeq` in place of `seq` and without `eventId`, because it is
a state and not an event; alone (not in lists) also with its `participants`.
"""

from functools import partial
from uuid import UUID

from flask import Response

from gateway.database import Database
from gateway.domain.conversations import ConversationFilter, conversation_etag
from gateway.domain.versions import IfMatch
from gateway.errors import FieldError, ValidationFailed
from gateway.http import page_cursors, rendering
from gateway.http.routes import Route
from gateway.services import conversations as service
from gateway.shapes import chat
from gateway.v1.paths import CONVERSATION, CONVERSATIONS
from gateway.v1.schemas.conversations import (
    AssignConversation,
    CreateConversation,
    ListConversations,
    PatchConversation,
)
from realtime_bridge.event_log.event import EventType


def create_conversation(database: Database, account_id: UUID, body: CreateConversation) -> Response:
    """Create a conversation. Stores it with its participants and the event `conversation.new`."""
    conversation_id, representation = service.append_conversation(database, account_id, body.to_domain())
    location, etag = f"{CONVERSATIONS}/{conversation_id}", conversation_etag(conversation_id, 0)
    return rendering.one(representation, {"Location": location, "ETag": etag})


def list_conversations(database: Database, account_id: UUID, query: ListConversations) -> Response:
    """List conversations. Latest activity first. Go on with `cursor`, or with `page` if you count pages."""
    if query.page is not None and query.cursor is not None:
        detail = "Send page or cursor, not both."
        raise ValidationFailed(FieldError(parameter="page", code="conflicting", detail=detail))
    chosen, number = query.into(ConversationFilter), query.page or 1
    read = partial(service.list_conversations, database, account_id, chosen, skip=(number - 1) * query.limit)
    shown = None if query.cursor else number
    return page_cursors.answer(read, query.cursor, query.limit, account_id, chosen, number=shown)


def get_conversation(database: Database, account_id: UUID, conversation_id: int) -> Response:
    """Get a conversation. With its participants."""
    return rendering.version(service.get_conversation(database, account_id, conversation_id))


def change_conversation(
    database: Database, account_id: UUID, conversation_id: int, precondition: IfMatch, body: PatchConversation
) -> Response:
    """Change a conversation. What is left out stays. Appends `conversation.updated` when something changed."""
    changes = body.named()
    return rendering.version(service.change_conversation(database, account_id, conversation_id, changes, precondition))


def assign_conversation(
    database: Database, account_id: UUID, conversation_id: int, precondition: IfMatch, body: AssignConversation
) -> Response:
    """Assign an agent or a bot. Appends `conversation.assigned` when something changed."""
    changes = {f"assigned_{name}": value for name, value in body.named().items()}
    known = (database, account_id, conversation_id)
    return rendering.version(
        service.change_conversation(*known, changes, precondition, EventType.CONVERSATION_ASSIGNED)
    )


_route = partial(Route, area="conversations", tag="Conversations", answer=chat.Conversation)
ROUTES = (
    _route(
        "POST",
        CONVERSATIONS,
        create_conversation,
        status=201,
        example={"contactJid": "5491155553934@s.whatsapp.net", "contactName": "Ana"},
        follows={"conversation_id": "id"},
    ),
    _route("GET", CONVERSATIONS, list_conversations, is_list=True, answer=chat.ListedConversation),
    _route("GET", CONVERSATION, get_conversation),
    _route(
        "PATCH",
        CONVERSATION,
        change_conversation,
        example={"status": "snoozed", "snoozedUntil": "2027-01-31T09:00:00Z"},
    ),
    _route("POST", f"{CONVERSATION}/assign", assign_conversation, example={"botId": "greeter"}),
)
