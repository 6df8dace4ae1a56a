"""What a realtime session is made of: membership, places in conversations, and a note of what was answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from gateway.db import Connection
from realtime_bridge import sql

_SQL = sql.load(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A conversation and the number of its newest event."""

    id: int
    last_seq: int


def is_member(connection: Connection, account_id: UUID, user_id: UUID) -> bool:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return bool(cursor.execute(_SQL["is_member"], {"account_id": account_id, "user_id": user_id}).fetchone())


def list_conversations(
    connection: Connection, account_id: UUID, user_id: UUID, conversation_ids: Sequence[int] | None, limit: int
) -> list[Place]:
    values = {
        "account_id": account_id,
        "user_id": user_id,
        "conversation_ids": None if conversation_ids is None else list(conversation_ids),
        "limit": limit,
    }
    with connection.cursor(row_factory=class_row(Place)) as cursor:
        return cursor.execute(_SQL["list_conversations"], values).fetchall()


def note_told(connection: Connection, account_id: UUID, user_id: UUID, provider: str, expires_at: datetime) -> None:
    values = {"account_id": account_id, "user_id": user_id, "provider": provider, "expires_at": expires_at}
    connection.execute(_SQL["note_told"], values)
