"""Rows of `conversations` and their participants, always within one account. Called by services/conversations.py."""

from dataclasses import asdict
from uuid import UUID

from psycopg.rows import class_row, kwargs_row, scalar_row, tuple_row

from gateway.database import Connection
from gateway.domain.conversations import ConversationFilter, ConversationState, NewConversation, conversation_etag
from gateway.domain.pages import TOP, Listed, Page, Position, page_of
from gateway.domain.versions import Shown
from realtime_bridge.event_log.event import EventType
from realtime_bridge.shared import sql

COUNT_AT_MOST = 10_000  # a total of 10,000 means that many or more; counting so far takes about two milliseconds

_SQL = sql.Queries(__file__)


def _shown(*, representation: str, id: int, last_seq: int) -> Shown:  # noqa: A002 the column's name
    return Shown(representation=representation, etag=conversation_etag(id, last_seq))


def append_conversation(
    connection: Connection, account_id: UUID, event_id: UUID, new: NewConversation
) -> tuple[int, str]:
    """Store the conversation with its event; return its id and representation. ForeignKeyViolation: unknown user."""
    values = asdict(new) | {
        "account_id": account_id,
        "event_id": event_id,
        "user_ids": [person.user_id for person in new.participants],
        "roles": [person.role.value for person in new.participants],
    }
    conversation_id, representation = _SQL.get_row(connection, "append_conversation", tuple_row, **values)
    return conversation_id, representation


def find_conversation(connection: Connection, account_id: UUID, conversation_id: int) -> Shown | None:
    values = {"account_id": account_id, "conversation_id": conversation_id}
    return _SQL.find_row(connection, "find_conversation", kwargs_row(_shown), **values)


def lock_conversation(connection: Connection, account_id: UUID, conversation_id: int) -> ConversationState | None:
    """Take the conversation's row lock until the transaction ends; None when the account has no such conversation."""
    values = {"account_id": account_id, "conversation_id": conversation_id}
    return _SQL.find_row(connection, "lock_conversation", class_row(ConversationState), **values)


def append_update(
    connection: Connection,
    conversation_id: int,
    event_id: UUID,
    event_type: EventType,
    wanted: ConversationState,
    *,
    with_participants: bool = False,
) -> Shown:
    """Store the wanted state with its event, under the lock that `lock_conversation` took."""
    values = asdict(wanted) | {
        "conversation_id": conversation_id,
        "event_id": event_id,
        "type": event_type.value,
        "with_participants": with_participants,
    }
    return _SQL.get_row(connection, "append_update", kwargs_row(_shown), **values)


def list_conversations(
    connection: Connection,
    account_id: UUID,
    chosen: ConversationFilter,
    *,
    limit: int,
    after: Position | None = None,
    skip: int = 0,
) -> Page:
    """Return the page after a position, or the one that begins past `skip` rows.

    Not prepared: a plan made without knowing which filters are set reads every conversation to find a rare one.
    """
    values = asdict(chosen) | {
        "account_id": account_id,
        **(after or TOP).bound,
        "fetch": limit + 1,
        "skip": skip,
        "at_most": COUNT_AT_MOST,
    }
    with connection.cursor(row_factory=class_row(Listed)) as cursor:
        rows = cursor.execute(_SQL["list_conversations"], values, prepare=False).fetchall()
    with connection.cursor(row_factory=scalar_row) as cursor:
        total = cursor.execute(_SQL["count_conversations"], values, prepare=False).fetchone() or 0
    return page_of(rows, limit, total)
