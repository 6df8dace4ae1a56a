"""Messages of one account's conversations: each function is one transaction, row and event together."""

from uuid import UUID, uuid4

from psycopg.errors import ForeignKeyViolation, UniqueViolation

from gateway.db import Connection, Database
from gateway.domain import Appended, Direction, MessagePage, MessageStatus, NewMessage, StatusChange
from gateway.errors import (
    ClientMessageIdReused,
    FieldError,
    NotFound,
    ProviderIdConflict,
    StatusConflict,
    ValidationFailed,
)
from gateway.services.conversations import NO_SUCH
from gateway.store import messages as store

NO_SUCH_MESSAGE = "There is no such message in a conversation of yours."
CLIENT_MESSAGE_ID = "chat_messages_conversation_id_client_message_id_key"
REPLY_TARGET = "chat_messages_conversation_id_reply_to_id_fkey"


def append_message(database: Database, account_id: UUID, conversation_id: int, new: NewMessage) -> Appended:
    """Commit the message and its event, or return what the first send with this clientMessageId was answered.

    The statement that hits a taken clientMessageId is rolled back whole, so it leaves no hole in seq.
    """
    with database.connection() as connection:
        try:
            representation = store.append_message(connection, account_id, conversation_id, uuid4(), new)
        except UniqueViolation as error:
            if error.diag.constraint_name != CLIENT_MESSAGE_ID:
                raise
            return Appended(representation=_first_answer(connection, account_id, conversation_id, new), replayed=True)
        except ForeignKeyViolation as error:
            if error.diag.constraint_name != REPLY_TARGET:
                raise
            detail = "Send the id of a message of this conversation."
            raise ValidationFailed(FieldError(pointer="/replyToId", code="unknown_message", detail=detail)) from None
    if representation is None:
        raise NotFound(NO_SUCH)
    return Appended(representation=representation, replayed=False)


def _first_answer(connection: Connection, account_id: UUID, conversation_id: int, new: NewMessage) -> str:
    first = store.find_first_answer(connection, account_id, conversation_id, new)
    if first is None:
        raise NotFound(NO_SUCH)  # deleted between the two statements
    if not first.same:
        detail = "Use a new clientMessageId for a new message; resend the old one unchanged."
        fault = FieldError(pointer="/clientMessageId", code="client_message_id_reused", detail=detail)
        raise ClientMessageIdReused(detail, errors=[fault])
    return first.representation


def list_messages(
    database: Database,
    account_id: UUID,
    conversation_id: int,
    *,
    before_seq: int | None,
    after_seq: int | None,
    limit: int,
) -> MessagePage:
    with database.connection() as connection:
        page = store.find_messages(
            connection, account_id, conversation_id, before_seq=before_seq, after_seq=after_seq, limit=limit
        )
    if page is None:
        raise NotFound(NO_SUCH)
    return page


def change_status(
    database: Database, account_id: UUID, conversation_id: int, message_id: int, change: StatusChange
) -> str:
    """Move a message's status forward and append `message.status`; the same again changes nothing."""
    with database.connection() as connection, connection.transaction():
        if not store.lock_conversation(connection, account_id, conversation_id):
            raise NotFound(NO_SUCH_MESSAGE)
        known = store.find_status(connection, conversation_id, message_id)
        if known is None:
            raise NotFound(NO_SUCH_MESSAGE)
        if not _is_change(known, change):
            return known.representation
        return store.append_status(
            connection,
            account_id,
            conversation_id,
            message_id,
            uuid4(),
            change,
            was_unread=known.direction == Direction.INCOMING and known.status != MessageStatus.READ,
        )


def _is_change(known: store.StoredStatus, change: StatusChange) -> bool:
    """Return whether there is anything to store; raise when it may not be stored."""
    status = MessageStatus(known.status)
    wanted_id = change.provider_message_id
    if wanted_id is not None and known.provider_message_id not in (None, wanted_id):
        raise ProviderIdConflict("Leave providerMessageId out, or send the one that is stored.")
    if status is change.status:
        return wanted_id is not None and known.provider_message_id is None
    if not status.may_become(change.status):
        raise StatusConflict(f"The message is {status}; it cannot become {change.status}.")
    return True
