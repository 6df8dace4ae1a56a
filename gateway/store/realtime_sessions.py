"""Facts of a realtime session: membership, places, what was answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from gateway.database import Connection
from realtime_bridge.shared import sql

_SQL = sql.Queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A conversation and the number of its newest event."""

    id: int
    last_seq: int


def is_member(connection: Connection, account_id: UUID, user_id: UUID) -> bool:
    return bool(_SQL.find_value(connection, "is_member", account_id=account_id, user_id=user_id))


def list_conversations(
    connection: Connection, account_id: UUID, user_id: UUID, conversation_ids: Sequence[int] | None, latest: int
) -> list[Place]:
    """Return the user's places in these conversations, or in so many of the latest when none are named."""
    values = {
        "account_id": account_id,
        "user_id": user_id,
        "conversation_ids": None if conversation_ids is None else list(conversation_ids),
        "limit": latest if conversation_ids is None else None,
    }
    return _SQL.list_rows(connection, "list_conversations", class_row(Place), **values)


def note_told(connection: Connection, account_id: UUID, user_id: UUID, provider: str, expires_at: datetime) -> None:
    _SQL.run(connection, "note_told", account_id=account_id, user_id=user_id, provider=provider, expires_at=expires_at)
