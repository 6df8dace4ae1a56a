"""`/conversations/{id}/messages`: parse, call the service, render.

A message is shown exactly as in its `message.new` event, so what a client fetched and what it received live compare
equal: `eventId` is that event's id and `seq` its number.
"""

from dataclasses import replace
from functools import partial
from uuid import UUID

from flask import Response

from gateway.database import Database
from gateway.domain.conflicts import (
    AttachmentNotUploaded,
    AttachmentTaken,
    MessageDeleted,
    ProviderIdConflict,
    StatusConflict,
)
from gateway.domain.messages import SearchFilter, StatusChange
from gateway.domain.pages import Page
from gateway.domain.versions import IfMatch
from gateway.errors import ClientMessageIdReused
from gateway.http import page_cursors, rendering
from gateway.http.routes import Limit, Route
from gateway.services import messages as service
from gateway.shapes import chat
from gateway.v1.paths import MESSAGES, PREFIX
from gateway.v1.schemas import answers
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

MESSAGE = f"{MESSAGES}/<row_id:message_id>"


def send_message(database: Database, account_id: UUID, conversation_id: int, body: SendMessage) -> Response:
    """Send a message. Answers after message and event are stored together. With `clientMessageId` a resend returns the
    first answer. Content is stored as sent.
    """
    appended = service.append_message(database, account_id, conversation_id, body.to_domain())
    headers = {"Location": f"{PREFIX}/conversations/{conversation_id}/messages/{appended.id}"}
    return rendering.one(
        appended.representation, headers | ({"Idempotency-Replayed": "true"} if appended.replayed else {})
    )


def list_messages(database: Database, account_id: UUID, conversation_id: int, query: ListMessages) -> Response:
    """List messages. Always ascending by seq: the newest page, the one before `before_seq`, or the one after
    `after_seq`; both exclusive.
    """
    before, after, limit = query.before_seq, query.after_seq, query.limit
    page = service.list_messages(database, account_id, conversation_id, before_seq=before, after_seq=after, limit=limit)
    if query.include is not None and not rendering.wants_html():
        page = replace(page, items=tuple(each_with_html(page.items)))
    return _page(page, limit, next_as="before_seq" if after is None else "after_seq")


def get_message(
    database: Database, account_id: UUID, conversation_id: int, message_id: int, query: ShowMessages
) -> Response:
    """Get a message."""
    shown = service.get_message(database, account_id, conversation_id, message_id)
    if query.include is None or rendering.wants_html():
        return rendering.version(shown)
    (with_html,) = each_with_html([shown.representation])
    return rendering.one(with_html)  # not the representation that the strong tag names


def edit_message(
    database: Database,
    account_id: UUID,
    conversation_id: int,
    message_id: int,
    precondition: IfMatch,
    body: EditMessage,
) -> Response:
    """Edit a message. Sets `editedAt`, keeps what it said before, appends `message.updated`."""
    message = (database, account_id, conversation_id, message_id)
    return rendering.version(service.edit_message(*message, precondition, body.content, body.metadata))


def delete_message(
    database: Database, account_id: UUID, conversation_id: int, message_id: int, precondition: IfMatch
) -> Response:
    """Delete a message. Empties it and sets `deletedAt`; its place stays. Appends `message.deleted`."""
    return rendering.version(service.delete_message(database, account_id, conversation_id, message_id, precondition))


def list_versions(
    database: Database, account_id: UUID, conversation_id: int, message_id: int, query: ListVersions
) -> Response:
    """List what a message said before. Oldest first."""
    page = service.list_versions(
        database, account_id, conversation_id, message_id, after=query.after_version, limit=query.limit
    )
    return _page(page, query.limit, next_as="after_version")


def change_status(
    database: Database, account_id: UUID, conversation_id: int, message_id: int, body: ChangeStatus
) -> Response:
    """Move a message's status. Forward only: pending, sent, delivered, read; `failed` before anything was delivered."""
    change = body.into(StatusChange)
    return rendering.version(service.change_status(database, account_id, conversation_id, message_id, change))


def search_messages(database: Database, account_id: UUID, query: SearchMessages) -> Response:
    """Search messages. All words must occur, each as the beginning of a word. Newest first."""
    chosen = SearchFilter(words=query.q, conversation_id=query.conversation_id)
    read = partial(service.search_messages, database, account_id, chosen)
    return page_cursors.answer(read, query.cursor, query.limit, account_id, chosen)


_route = partial(Route, area="messages", tag="Messages", answer=chat.Message)
ROUTES = (
    _route(
        "POST",
        MESSAGES,
        send_message,
        status=201,
        limit=Limit.SEND,
        example={"content": "Hello", "clientMessageId": "order-17-confirmed"},
        problems=(ClientMessageIdReused, AttachmentTaken, AttachmentNotUploaded),
        follows={"conversation_id": "conversationId", "message_id": "id"},
    ),
    _route("GET", MESSAGES, list_messages, is_list=True),
    _route("GET", MESSAGE, get_message),
    _route(
        "PATCH", MESSAGE, edit_message, must_match=True, example={"content": "Hello again"}, problems=(MessageDeleted,)
    ),
    _route("DELETE", MESSAGE, delete_message),
    _route("GET", f"{MESSAGE}/versions", list_versions, is_list=True, answer=answers.MessageVersion),
    _route(
        "PATCH",
        f"{MESSAGE}/status",
        change_status,
        example={"status": "delivered", "providerMessageId": "3EB06F9067F80BAB89FF"},
        problems=(StatusConflict, ProviderIdConflict, MessageDeleted),
    ),
    _route("GET", f"{PREFIX}/messages/search", search_messages, is_list=True, answer=answers.FoundMessage),
)


def _page(page: Page, limit: int, *, next_as: str) -> Response:
    """The next page begins at the number of the last row."""
    last = str(page.last.id) if page.has_more and page.last else None
    return rendering.many(
        page.items, limit=limit, total=page.total, has_more=page.has_more, next_cursor=last, next_as=next_as
    )
