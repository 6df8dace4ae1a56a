"""Rows of `chat_messages`, always within one account. Called by services/messages.py."""

from dataclasses import asdict, dataclass
from uuid import UUID

from psycopg.rows import class_row, kwargs_row, tuple_row

from gateway.database import Connection
from gateway.domain.messages import Appended, MessageChange, StoredMessage, message_etag
from gateway.domain.pages import Listed, Page, Position, count_fitting, page_of
from gateway.domain.versions import Shown
from gateway.store.conversations import COUNT_AT_MOST
from realtime_bridge.event_log.append import APPEND_MESSAGE, NewMessage
from realtime_bridge.event_log.event import EventType
from realtime_bridge.shared import sql

NO_UPPER_BOUND = 2**63 - 1
NO_LOWER_BOUND = -(2**63)  # imported history lies below zero
REPLACED_BY = {EventType.MESSAGE_UPDATED: "edit", EventType.MESSAGE_DELETED: "deletion"}

_SQL = sql.Queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAnswer(Appended):
    same: bool  # whether the repeated request says what the first one said


def _shown(*, representation: str, id: int, version: int) -> Shown:  # noqa: A002 the column's name
    return Shown(representation=representation, etag=message_etag(id, version))


def append_message(
    connection: Connection,
    account_id: UUID,
    conversation_id: int,
    event_id: UUID,
    new: NewMessage,
) -> Appended | None:
    """Store message and event; return None when the account has no such conversation.

    Raises UniqueViolation for a clientMessageId that is taken, ForeignKeyViolation for an unknown reply target.
    """
    values = new.values(account_id, conversation_id, event_id)
    return connection.cursor(row_factory=class_row(Appended)).execute(APPEND_MESSAGE, values).fetchone()


def find_first_answer(
    connection: Connection, account_id: UUID, conversation_id: int, new: NewMessage
) -> FirstAnswer | None:
    values = new.values(account_id, conversation_id)
    return _SQL.find_row(connection, "find_first_answer", class_row(FirstAnswer), **values)


def find_messages(
    connection: Connection,
    account_id: UUID,
    conversation_id: int,
    *,
    before_seq: int | None,
    after_seq: int | None,
    limit: int,
) -> Page | None:
    """Return a page in ascending order, as much as fits, or None when the account has no such conversation.

    It goes on at the seq where it was cut: before its first message, or after its last one.
    """
    newest = after_seq is None
    values = {
        "account_id": account_id,
        "conversation_id": conversation_id,
        "newest": newest,
        "before_seq": NO_UPPER_BOUND if before_seq is None else before_seq,
        "after_seq": NO_LOWER_BOUND if after_seq is None else after_seq,
        "fetch": limit + 1,
        "at_most": COUNT_AT_MOST,
    }
    row = _SQL.find_row(connection, "list_messages", tuple_row, **values)
    if row is None:
        return None
    found, seqs, total = row[0] or [], row[1] or [], row[2]
    if newest:
        shown = slice(len(found) - count_fitting(reversed(found[-limit:])), None)
    else:
        shown = slice(count_fitting(found[:limit]))
    items, seqs = found[shown], seqs[shown]
    return Page(
        items=tuple(items),
        has_more=len(found) > len(items),
        last=Position(id=seqs[0 if newest else -1]) if seqs else None,
        total=total,
    )


def find_message(connection: Connection, account_id: UUID, conversation_id: int, message_id: int) -> Shown | None:
    values = {"account_id": account_id, "conversation_id": conversation_id, "message_id": message_id}
    return _SQL.find_row(connection, "find_message", kwargs_row(_shown), **values)


def find_for_change(
    connection: Connection, conversation_id: int, message_id: int, *, read_seq: int
) -> StoredMessage | None:
    """Return a message as it stays while the conversation is locked."""
    values = {"conversation_id": conversation_id, "message_id": message_id, "read_seq": read_seq}
    return _SQL.find_row(connection, "find_for_change", class_row(StoredMessage), **values)


def find_preview(connection: Connection, conversation_id: int) -> str | None:
    """Return what the newest message that was not deleted begins with."""
    return _SQL.find_value(connection, "find_preview", conversation_id=conversation_id)


def list_versions(connection: Connection, message_id: int, *, after: int, limit: int) -> Page:
    """Return what the message said before each change after version `after`, oldest first; by their versions."""
    values = {"message_id": message_id, "after": after, "fetch": limit + 1}
    return page_of(_SQL.list_rows(connection, "list_versions", class_row(Listed), **values), limit)


def append_change(
    connection: Connection, conversation_id: int, message_id: int, event_id: UUID, change: MessageChange
) -> Shown:
    """Store a change with its event and keep the words that others replace, under the conversation's lock."""
    values = asdict(change) | {
        "conversation_id": conversation_id,
        "message_id": message_id,
        "event_id": event_id,
        "type": change.event_type.value,
        "replaced_by": REPLACED_BY.get(change.event_type),
    }
    return _SQL.get_row(connection, "append_change", kwargs_row(_shown), **values)
