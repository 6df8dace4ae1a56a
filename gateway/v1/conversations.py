"""`/conversations`: parse, call the service, render.

A conversation is shown with the fields of its events, `lastSeq` in place of `seq` and without `eventId`, because it is
a state and not an event; alone (not in lists) also with its `participants`.
"""

from flask import Blueprint, Response, g

from gateway import cursors, rendering
from gateway.db import Database
from gateway.domain import ConversationFilter
from gateway.errors import FieldError, ValidationFailed
from gateway.services import conversations as service
from gateway.v1.paths import PREFIX
from gateway.v1.schemas import CreateConversation, ListConversations, NoQuery
from gateway.validation import read_body, read_query


def blueprint(database: Database) -> Blueprint:
    routes = Blueprint("conversations", __name__, url_prefix=PREFIX)

    def create_conversation() -> Response:
        read_query(NoQuery)
        new = read_body(CreateConversation).to_domain()
        conversation_id, representation = service.append_conversation(database, g.api_key.account_id, new)
        location = f"{PREFIX}/conversations/{conversation_id}"
        return rendering.one(representation, status=201, headers={"Location": location})

    def get_conversation(conversation_id: int) -> Response:
        read_query(NoQuery)
        return rendering.one(service.get_conversation(database, g.api_key.account_id, conversation_id))

    def list_conversations() -> Response:
        return _list(database, read_query(ListConversations))

    routes.add_url_rule("/conversations", view_func=create_conversation, methods=["POST"])
    routes.add_url_rule("/conversations/<row_id:conversation_id>", view_func=get_conversation, methods=["GET"])
    routes.add_url_rule("/conversations", view_func=list_conversations, methods=["GET"])
    return routes


def _list(database: Database, query: ListConversations) -> Response:
    """By cursor, or by page for those who have always counted pages. `total` stops at 10,000: that many or more."""
    if query.page is not None and query.cursor is not None:
        detail = "Send page or cursor, not both."
        raise ValidationFailed(FieldError(parameter="page", code="conflicting", detail=detail))
    account_id = g.api_key.account_id
    chosen = ConversationFilter(status=query.status, assigned_to=query.assigned_to)
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
