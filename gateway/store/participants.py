"""Rows of `conversation_participants`, always under their conversation's lock when they change."""

from uuid import UUID

from psycopg.rows import class_row

from gateway.database import Connection
from gateway.domain.conversations import Participant, Role
from realtime_bridge.shared import sql

_SQL = sql.Queries(__file__)


def list_participants(connection: Connection, conversation_id: int) -> list[Participant]:
    """Return everybody who takes part, the owner first."""
    return _SQL.list_rows(connection, "list_participants", class_row(Participant), conversation_id=conversation_id)


def store_participant(connection: Connection, conversation_id: int, user_id: UUID, role: Role) -> None:
    """Let a user in, or give one another role. ForeignKeyViolation: unknown user."""
    _SQL.run(connection, "store_participant", conversation_id=conversation_id, user_id=user_id, role=role.value)


def remove_participant(connection: Connection, conversation_id: int, user_id: UUID) -> None:
    _SQL.run(connection, "remove_participant", conversation_id=conversation_id, user_id=user_id)


def mark_read(connection: Connection, conversation_id: int, user_id: UUID, seq: int) -> None:
    """Move a participant's mark, never back, with what follows from it and its event."""
    _SQL.run(connection, "mark_read", conversation_id=conversation_id, user_id=user_id, seq=seq)
