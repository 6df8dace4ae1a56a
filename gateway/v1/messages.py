"""`/conversations/{id}/messages`: parse, call the service, render.

A message is shown exactly as in its `message.new` event, so what a client fetched and what it received live compare
equal: `eventId` is that event's id and `seq` its number.
"""

from flask import Blueprint, Response, g

from gateway.database import Database
from gateway.domain.messages import MessagePage, SearchFilter
from gateway.domain.versions import Shown
from gateway.http import page_cursors as cursors
from gateway.http import rendering
from gateway.http.if_match import read_if_match
from gateway.http.validation import read_body, read_query
from gateway.services import messages as service
from gateway.v1.paths import PREFIX
from gateway.v1.schemas.fields import NoQuery
from gateway.v1.schemas.messages import (
    ChangeStatus,
    EditMessage,
    ListMessages,
    ListVersions,
    SearchMessages,
    SendMessage,
    ShowMessages,
)
from realtime_bridge.shared.content_html import each_with_html

MESSAGES = "/conversations/<row_id:conversation_id>/messages"
MESSAGE = f"{MESSAGES}/<row_id:message_id>"


def blueprint(database: Database) -> Blueprint:
    routes = Blueprint("messages", __name__, url_prefix=PREFIX)

    def send_message(conversation_id: int) -> Response:
        read_query(NoQuery)
        new = read_body(SendMessage).to_domain()
        appended = service.append_message(database, g.api_key.account_id, conversation_id, new)
        headers = {"Idempotency-Replayed": "true"} if appended.replayed else {}
        return rendering.one(appended.representation, status=201, headers=headers)

    def list_messages(conversation_id: int) -> Response:
        return _list(database, conversation_id, read_query(ListMessages))

    def get_message(conversation_id: int, message_id: int) -> Response:
        query = read_query(ShowMessages)
        shown = service.get_message(database, g.api_key.account_id, conversation_id, message_id)
        if query.include is None or rendering.wants_html():
            return _one(shown)
        return rendering.one(
            *each_with_html([shown.representation])
        )  # not the representation that the strong tag names

    def list_versions(conversation_id: int, message_id: int) -> Response:
        query = read_query(ListVersions)
        account_id, after = g.api_key.account_id, query.after_version
        page = service.list_versions(database, account_id, conversation_id, message_id, after=after, limit=query.limit)
        next_cursor = str(page.last) if page.has_more else None
        pagination = {"page": None, "limit": query.limit, "total": None, "hasMore": page.has_more}
        return rendering.many(page.items, pagination | {"nextCursor": next_cursor})

    def edit_message(conversation_id: int, message_id: int) -> Response:
        read_query(NoQuery)
        precondition, edit = read_if_match(required=True), read_body(EditMessage).to_domain()
        account_id = g.api_key.account_id
        return _one(service.edit_message(database, account_id, conversation_id, message_id, edit, precondition))

    def delete_message(conversation_id: int, message_id: int) -> Response:
        read_query(NoQuery)
        account_id = g.api_key.account_id
        return _one(service.delete_message(database, account_id, conversation_id, message_id, read_if_match()))

    def change_status(conversation_id: int, message_id: int) -> Response:
        read_query(NoQuery)
        change = read_body(ChangeStatus).to_domain()
        account_id = g.api_key.account_id
        return _one(service.change_status(database, account_id, conversation_id, message_id, change))

    def search_messages() -> Response:
        return _search(database, read_query(SearchMessages))

    routes.add_url_rule(MESSAGES, view_func=send_message, methods=["POST"])
    routes.add_url_rule(MESSAGES, view_func=list_messages, methods=["GET"])
    routes.add_url_rule(MESSAGE, view_func=get_message, methods=["GET"])
    routes.add_url_rule(MESSAGE, view_func=edit_message, methods=["PATCH"])
    routes.add_url_rule(MESSAGE, view_func=delete_message, methods=["DELETE"])
    routes.add_url_rule(f"{MESSAGE}/versions", view_func=list_versions, methods=["GET"])
    routes.add_url_rule(f"{MESSAGE}/status", view_func=change_status, methods=["PATCH"])
    routes.add_url_rule("/messages/search", view_func=search_messages, methods=["GET"])
    return routes


def _one(shown: Shown) -> Response:
    return rendering.one(shown.representation, headers={"ETag": shown.etag})


def _search(database: Database, query: SearchMessages) -> Response:
    """Newest first; not counted; `highlight` is safe to show as HTML."""
    account_id = g.api_key.account_id
    chosen = SearchFilter(words=query.q, conversation_id=query.conversation_id)
    after = cursors.decode(query.cursor, account_id, chosen) if query.cursor else None
    page = service.search_messages(database, account_id, chosen, limit=query.limit, after=after)
    next_cursor = cursors.encode(page.last, account_id, chosen) if page.has_more and page.last else None
    return rendering.many(
        page.items,
        {"page": None, "limit": query.limit, "total": None, "hasMore": page.has_more, "nextCursor": next_cursor},
    )


def _list(database: Database, conversation_id: int, query: ListMessages) -> Response:
    """Always ascending by seq: the newest page, the page before `before_seq`, or the page after `after_seq`."""
    page = service.list_messages(
        database,
        g.api_key.account_id,
        conversation_id,
        before_seq=query.before_seq,
        after_seq=query.after_seq,
        limit=query.limit,
    )
    return rendering.many(
        page.items if query.include is None or rendering.wants_html() else each_with_html(page.items),
        {
            "page": None,
            "limit": query.limit,
            "total": page.total,
            "hasMore": page.has_more,
            "nextCursor": _next_cursor(page, forward=query.after_seq is not None),
        },
    )


def _next_cursor(page: MessagePage, *, forward: bool) -> str | None:
    """The seq to send next: as `after_seq` when the request had one, else as `before_seq`."""
    if not page.has_more:
        return None
    return str(page.last_seq if forward else page.first_seq)
