"""Rows of `chat_messages`, always within one account. Called by services/messages.py."""

from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from gateway.db import Connection
from gateway.domain import Direction, MessagePage, MessageStatus, NewMessage, StatusChange
from gateway.store.conversations import COUNT_AT_MOST
from realtime_bridge import sql
from realtime_bridge.append import APPEND_MESSAGE

NO_UPPER_BOUND = 2**63 - 1
NO_LOWER_BOUND = -1

_SQL = sql.load(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAnswer:
    representation: str
    same: bool  # whether the repeated request says what the first one said


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStatus:
    status: str
    provider_message_id: str | None
    direction: str
    representation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    representations: list[str] | None
    seqs: list[int] | None
    total: int


def append_message(
    connection: Connection, account_id: UUID, conversation_id: int, event_id: UUID, new: NewMessage
) -> str | None:
    """Commit message and event; return the representation, or None when the account has no such conversation.

    Raises UniqueViolation for a clientMessageId that is taken, ForeignKeyViolation for an unknown reply target.
    """
    values = _values(account_id, conversation_id, new) | {
        "event_id": event_id,
        "status": new.first_status.value,
        "unread": 1 if new.direction is Direction.INCOMING else 0,
    }
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(APPEND_MESSAGE, values).fetchone()


def find_first_answer(
    connection: Connection, account_id: UUID, conversation_id: int, new: NewMessage
) -> FirstAnswer | None:
    with connection.cursor(row_factory=class_row(FirstAnswer)) as cursor:
        return cursor.execute(_SQL["find_first_answer"], _values(account_id, conversation_id, new)).fetchone()


def find_messages(
    connection: Connection,
    account_id: UUID,
    conversation_id: int,
    *,
    before_seq: int | None,
    after_seq: int | None,
    limit: int,
) -> MessagePage | None:
    """Return a page in ascending order, or None when the account has no such conversation."""
    values = {
        "account_id": account_id,
        "conversation_id": conversation_id,
        "before_seq": NO_UPPER_BOUND if before_seq is None else before_seq,
        "after_seq": NO_LOWER_BOUND if after_seq is None else after_seq,
        "fetch": limit + 1,
        "at_most": COUNT_AT_MOST,
    }
    newest = after_seq is None
    with connection.cursor(row_factory=class_row(_Listed)) as cursor:
        row = cursor.execute(_SQL["list_newest" if newest else "list_following"], values).fetchone()
    if row is None:
        return None
    shown = slice(-limit, None) if newest else slice(limit)
    items, seqs = (row.representations or [])[shown], (row.seqs or [])[shown]
    return MessagePage(
        items=tuple(items),
        total=row.total,
        has_more=len(row.seqs or []) > limit,
        first_seq=seqs[0] if seqs else None,
        last_seq=seqs[-1] if seqs else None,
    )


def lock_conversation(connection: Connection, account_id: UUID, conversation_id: int) -> bool:
    """Take the conversation's row lock until the transaction ends; False when the account has no such conversation."""
    values = {"account_id": account_id, "conversation_id": conversation_id}
    return connection.execute(_SQL["lock_conversation"], values).fetchone() is not None


def find_status(connection: Connection, conversation_id: int, message_id: int) -> StoredStatus | None:
    values = {"conversation_id": conversation_id, "message_id": message_id}
    with connection.cursor(row_factory=class_row(StoredStatus)) as cursor:
        return cursor.execute(_SQL["find_status"], values).fetchone()


def append_status(
    connection: Connection,
    account_id: UUID,
    conversation_id: int,
    message_id: int,
    event_id: UUID,
    change: StatusChange,
    *,
    was_unread: bool,
) -> str:
    """Store the change with its event, under the lock that `lock_conversation` took; return the representation."""
    values = {
        "account_id": account_id,
        "conversation_id": conversation_id,
        "message_id": message_id,
        "event_id": event_id,
        "status": change.status.value,
        "provider_message_id": change.provider_message_id,
        "read": 1 if was_unread and change.status is MessageStatus.READ else 0,
    }
    with connection.cursor(row_factory=scalar_row) as cursor:
        representation = cursor.execute(_SQL["append_status"], values).fetchone()
    assert representation is not None  # noqa: S101 the rows are locked and were just read
    return str(representation)


def _values(account_id: UUID, conversation_id: int, new: NewMessage) -> dict[str, object]:
    return {
        "account_id": account_id,
        "conversation_id": conversation_id,
        "content": new.content,
        "message_type": new.message_type.value,
        "direction": new.direction.value,
        "client_message_id": new.client_message_id,
        "sender_id": new.sender_id,
        "reply_to_id": new.reply_to_id,
        "metadata": new.metadata,
    }
