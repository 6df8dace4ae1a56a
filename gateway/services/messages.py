"""Messages of one account's conversations. Each function is one transaction, row and event together."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID, uuid4

from psycopg.errors import CheckViolation, ForeignKeyViolation, UniqueViolation

from gateway.database import Connection, Database
from gateway.domain.attachments import kind_of
from gateway.domain.conflicts import MessageDeleted
from gateway.domain.conversations import ConversationState
from gateway.domain.messages import (
    Appended,
    MessageChange,
    MessageStatus,
    SearchFilter,
    StatusChange,
    StoredMessage,
    is_change,
    message_etag,
)
from gateway.domain.pages import Page, Position
from gateway.domain.versions import IfMatch, Shown
from gateway.errors import ClientMessageIdReused, FieldError, ValidationFailed, there
from gateway.services import attachments
from gateway.services.conversations import NO_SUCH, lock
from gateway.store import attachments as files
from gateway.store import conversations
from gateway.store import messages as store
from gateway.store import search as found
from realtime_bridge.event_log.append import NewMessage
from realtime_bridge.event_log.event import EventType

NO_SUCH_MESSAGE = "There is no such message in a conversation of yours."
CLIENT_MESSAGE_ID = "chat_messages_conversation_id_client_message_id_key"
OVERSIZED = FieldError(
    pointer="/metadata", code="too_long", detail="Send at most 4096 bytes of JSON, with numbers written out."
)
REPLY_TARGET = "chat_messages_conversation_id_reply_to_id_fkey"


def append_message(database: Database, account_id: UUID, conversation_id: int, new: NewMessage) -> Appended:
    """Commit the message and its event, or return what the first send with this clientMessageId was answered.

    The statement that hits a taken clientMessageId is rolled back whole, so it leaves no hole in seq.
    """
    with database.connection() as connection, _measured():
        try:
            row = _append(connection, account_id, conversation_id, new)
        except UniqueViolation as error:
            if error.diag.constraint_name != CLIENT_MESSAGE_ID:
                raise
            return _first_answer(connection, account_id, conversation_id, new)
        except ForeignKeyViolation as error:
            if error.diag.constraint_name != REPLY_TARGET:
                raise
            detail = "Send the id of a message of this conversation."
            raise ValidationFailed(FieldError(pointer="/replyToId", code="unknown_message", detail=detail)) from None
    return there(row, NO_SUCH)


def _append(connection: Connection, account_id: UUID, conversation_id: int, new: NewMessage) -> Appended | None:
    """One statement; with attachments one transaction, which takes them after the message has its place."""
    if not new.attachment_ids:
        return store.append_message(connection, account_id, conversation_id, uuid4(), new)
    with connection.transaction():
        lock(connection, account_id, conversation_id)
        taken = attachments.find_sendable(connection, account_id, conversation_id, new)
        new = replace(
            new,
            attachments=json.dumps([attachment.shown for attachment in taken]),
            message_type=new.message_type or kind_of(taken),
        )
        row = store.append_message(connection, account_id, conversation_id, uuid4(), new)
        if row is not None:
            files.claim(connection, new.attachment_ids, row.id)
        return row


def _first_answer(connection: Connection, account_id: UUID, conversation_id: int, new: NewMessage) -> Appended:
    first = there(store.find_first_answer(connection, account_id, conversation_id, new), NO_SUCH)
    if not first.same:
        detail = "Use a new clientMessageId for a new message; resend the old one unchanged."
        fault = FieldError(pointer="/clientMessageId", code="client_message_id_reused", detail=detail)
        raise ClientMessageIdReused(detail, errors=[fault])
    return replace(first, replayed=True)


@contextmanager
def _measured() -> Iterator[None]:
    """Answer with OVERSIZED what the domain of metadata refuses."""
    try:
        yield
    except CheckViolation as error:
        if error.diag.datatype_name != "metadata":
            raise
        raise ValidationFailed(OVERSIZED) from None


def list_messages(
    database: Database,
    account_id: UUID,
    conversation_id: int,
    *,
    before_seq: int | None,
    after_seq: int | None,
    limit: int,
) -> Page:
    with database.connection() as connection:
        page = store.find_messages(
            connection, account_id, conversation_id, before_seq=before_seq, after_seq=after_seq, limit=limit
        )
    return there(page, NO_SUCH)


def search_messages(
    database: Database, account_id: UUID, chosen: SearchFilter, *, limit: int, after: Position | None
) -> Page:
    """Return a page of the account's messages that have all the words, the newest first, with the words marked."""
    with database.connection() as connection:
        return found.search_messages(connection, account_id, chosen, limit=limit, after=after)


def get_message(database: Database, account_id: UUID, conversation_id: int, message_id: int) -> Shown:
    with database.connection() as connection:
        return _find(connection, account_id, conversation_id, message_id)


def list_versions(
    database: Database, account_id: UUID, conversation_id: int, message_id: int, *, after: int, limit: int
) -> Page:
    """Return what the message said before each edit and before its deletion, oldest first."""
    with database.connection() as connection:
        _find(connection, account_id, conversation_id, message_id)
        return store.list_versions(connection, message_id, after=after, limit=limit)


def change_status(
    database: Database, account_id: UUID, conversation_id: int, message_id: int, change: StatusChange
) -> Shown:
    """Move a message's status forward and append `message.status`; the same again changes nothing."""
    with database.connection() as connection, connection.transaction():
        known, message = _lock(connection, account_id, conversation_id, message_id)
        if not is_change(message, change):
            return _as_it_is(message)
        moved = MessageChange(event_type=EventType.MESSAGE_STATUS, **asdict(change))
        return _change(connection, conversation_id, known, message, moved)


def edit_message(
    database: Database,
    account_id: UUID,
    conversation_id: int,
    message_id: int,
    precondition: IfMatch,
    content: str,
    metadata: dict[str, Any] | None = None,
) -> Shown:
    """Store other words, keep the old ones, append `message.updated`; the same words change nothing.

    Without `metadata`, that stays.
    """
    with database.connection() as connection, _measured(), connection.transaction():
        known, message = _lock(connection, account_id, conversation_id, message_id)
        precondition.check(message_etag(message.id, message.version))
        if message.is_deleted:
            raise MessageDeleted("Send a new message; a deleted one cannot be edited.")
        if content == message.content and metadata in (None, message.metadata):
            return _as_it_is(message)
        if not content and not message.attachments:
            raise ValidationFailed(FieldError(pointer="/content", code="blank", detail="Write something."))
        words = None if metadata is None else json.dumps(metadata)
        edit = MessageChange(event_type=EventType.MESSAGE_UPDATED, content=content, metadata=words)
        return _change(connection, conversation_id, known, message, edit)


def delete_message(
    database: Database, account_id: UUID, conversation_id: int, message_id: int, precondition: IfMatch
) -> Shown:
    """Take a message's words away, keep them aside, append `message.deleted`. The row stays, and so does its seq."""
    with database.connection() as connection, connection.transaction():
        known, message = _lock(connection, account_id, conversation_id, message_id)
        if message.is_deleted:
            return _as_it_is(message)
        precondition.check(message_etag(message.id, message.version))
        nothing = MessageChange(event_type=EventType.MESSAGE_DELETED, content="", metadata="{}", attachments="[]")
        return _change(connection, conversation_id, known, message, nothing)


def _change(
    connection: Connection,
    conversation_id: int,
    known: ConversationState,
    message: StoredMessage,
    change: MessageChange,
) -> Shown:
    """Append a change, and tell of what it changed in the conversation by an event of its own.

    So that clients replace what an event names, and need not know which change of a message counts for what.
    """
    shown = store.append_change(connection, conversation_id, message.id, uuid4(), change)
    goes = change.status is MessageStatus.READ or change.event_type is EventType.MESSAGE_DELETED
    wanted = replace(known, unread_count=max(0, known.unread_count - (goes and message.is_unread)))
    if change.content is not None:
        wanted = replace(wanted, last_message_preview=store.find_preview(connection, conversation_id))
    if wanted != known:
        event_type = EventType.CONVERSATION_UPDATED
        conversations.append_update(connection, conversation_id, uuid4(), event_type, wanted)
    return shown


def _lock(
    connection: Connection, account_id: UUID, conversation_id: int, message_id: int
) -> tuple[ConversationState, StoredMessage]:
    known = lock(connection, account_id, conversation_id, NO_SUCH_MESSAGE)
    message = store.find_for_change(connection, conversation_id, message_id, read_seq=known.read_seq)
    return known, there(message, NO_SUCH_MESSAGE)


def _find(connection: Connection, account_id: UUID, conversation_id: int, message_id: int) -> Shown:
    return there(store.find_message(connection, account_id, conversation_id, message_id), NO_SUCH_MESSAGE)


def _as_it_is(message: StoredMessage) -> Shown:
    return Shown(representation=message.representation, etag=message_etag(message.id, message.version))
