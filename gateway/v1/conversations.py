"""`/conversations`: parse, call the service, render.

A conversation is shown with the fields of its events, `lastSeq` in place of `seq` and without `eventId`, because it is
a state and not an event; alone (not in lists) also with its `participants`.
"""

from flask import Blueprint, Response, g

from gateway.database import Database
from gateway.domain.conversations import ConversationFilter, conversation_etag
from gateway.domain.versions import Shown
from gateway.errors import FieldError, ValidationFailed
from gateway.http import page_cursors as cursors
from gateway.http import rendering
from gateway.http.if_match import read_if_match
from gateway.http.validation import read_body, read_query
from gateway.services import conversations as service
from gateway.v1.paths import PREFIX
from gateway.v1.schemas.conversations import (
    AssignConversation,
    CreateConversation,
    ListConversations,
    PatchConversation,
)
from gateway.v1.schemas.fields import NoQuery


def blueprint(database: Database) -> Blueprint:
    routes = Blueprint("conversations", __name__, url_prefix=PREFIX)

    def create_conversation() -> Response:
        read_query(NoQuery)
        new = read_body(CreateConversation).to_domain()
        conversation_id, representation = service.append_conversation(database, g.api_key.account_id, new)
        location = f"{PREFIX}/conversations/{conversation_id}"
        headers = {"Location": location, "ETag": conversation_etag(conversation_id, 0)}
        return rendering.one(representation, status=201, headers=headers)

    def get_conversation(conversation_id: int) -> Response:
        read_query(NoQuery)
        return _one(service.get_conversation(database, g.api_key.account_id, conversation_id))

    def change_conversation(conversation_id: int) -> Response:
        read_query(NoQuery)
        precondition, patch = read_if_match(), read_body(PatchConversation).to_domain()
        account_id = g.api_key.account_id
        return _one(service.change_conversation(database, account_id, conversation_id, patch, precondition))

    def assign_conversation(conversation_id: int) -> Response:
        read_query(NoQuery)
        precondition, assignment = read_if_match(), read_body(AssignConversation).to_domain()
        account_id = g.api_key.account_id
        return _one(service.assign_conversation(database, account_id, conversation_id, assignment, precondition))

    def list_conversations() -> Response:
        return _list(database, read_query(ListConversations))

    routes.add_url_rule("/conversations", view_func=create_conversation, methods=["POST"])
    routes.add_url_rule("/conversations/<row_id:conversation_id>", view_func=get_conversation, methods=["GET"])
    routes.add_url_rule("/conversations/<row_id:conversation_id>", view_func=change_conversation, methods=["PATCH"])
    routes.add_url_rule(
        "/conversations/<row_id:conversation_id>/assign", view_func=assign_conversation, methods=["POST"]
    )
    routes.add_url_rule("/conversations", view_func=list_conversations, methods=["GET"])
    return routes


def _one(shown: Shown) -> Response:
    return rendering.one(shown.representation, headers={"ETag": shown.etag})


def _list(database: Database, query: ListConversations) -> Response:
    """By cursor, or by page for those who have always counted pages. `total` stops at 10,000: that many or more."""
    if query.page is not None and query.cursor is not None:
        detail = "Send page or cursor, not both."
        raise ValidationFailed(FieldError(parameter="page", code="conflicting", detail=detail))
    account_id = g.api_key.account_id
    chosen = ConversationFilter(
        status=query.status,
        assigned_to=query.assigned_to,
        channel=query.channel,
        unread=query.unread,
        updated_since=query.updated_since,
    )
    after = cursors.decode(query.cursor, account_id, chosen) if query.cursor else None
    skip = ((query.page or 1) - 1) * query.limit
    page = service.list_conversations(database, account_id, chosen, limit=query.limit, after=after, skip=skip)
    next_cursor = cursors.encode(page.last, account_id, chosen) if page.has_more and page.last else None
    return rendering.many(
        page.items,
        {
            "page": None if query.cursor else query.page or 1,
            "limit": query.limit,
            "total": page.total,
            "hasMore": page.has_more,
            "nextCursor": next_cursor,
        },
    )
