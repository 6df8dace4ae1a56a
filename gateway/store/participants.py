"""Rows of `conversation_participants`, always under their conversation's lock when they change."""

from uuid import UUID

from psycopg.rows import class_row

from gateway.changes import Participant
from gateway.db import Connection
from gateway.domain import Role
from realtime_bridge import sql

_SQL = sql.load(__file__)


def list_participants(connection: Connection, conversation_id: int) -> list[Participant]:
    """Return everybody who takes part, the owner first."""
    with connection.cursor(row_factory=class_row(Participant)) as cursor:
        return cursor.execute(_SQL["list_participants"], {"conversation_id": conversation_id}).fetchall()


def store_participant(connection: Connection, conversation_id: int, user_id: UUID, role: Role) -> None:
    """Let a user in, or give one another role. ForeignKeyViolation: unknown user."""
    values = {"conversation_id": conversation_id, "user_id": user_id, "role": role.value}
    connection.execute(_SQL["store_participant"], values)


def remove_participant(connection: Connection, conversation_id: int, user_id: UUID) -> None:
    connection.execute(_SQL["remove_participant"], {"conversation_id": conversation_id, "user_id": user_id})


def mark_read(connection: Connection, conversation_id: int, user_id: UUID, seq: int) -> None:
    """Move a participant's mark, never back, with what follows from it and its event."""
    connection.execute(_SQL["mark_read"], {"conversation_id": conversation_id, "user_id": user_id, "seq": seq})
