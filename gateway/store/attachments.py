"""Rows of `chat_attachments`, always within one account. Called by services/attachments.py."""

from collections.abc import Sequence
from uuid import UUID

from psycopg.rows import class_row

from gateway.attachments import Attachment, AttachmentState, NewAttachment
from gateway.db import Connection
from realtime_bridge import sql

_SQL = sql.load(__file__)


def create(
    connection: Connection, account_id: UUID, attachment_id: UUID, storage_key: str, new: NewAttachment
) -> Attachment:
    values = {
        "id": attachment_id,
        "account_id": account_id,
        "file_name": new.file_name,
        "content_type": new.content_type,
        "size_bytes": new.size_bytes,
        "storage_key": storage_key,
    }
    with connection.cursor(row_factory=class_row(Attachment)) as cursor:
        row = cursor.execute(_SQL["create"], values).fetchone()
    assert row is not None  # noqa: S101 an insert returns its row or raises
    return row


def find(connection: Connection, account_id: UUID, attachment_id: UUID) -> Attachment | None:
    values = {"account_id": account_id, "id": attachment_id}
    with connection.cursor(row_factory=class_row(Attachment)) as cursor:
        return cursor.execute(_SQL["find"], values).fetchone()


def lock_all(connection: Connection, account_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Attachment]:
    """Return those of the account among `ids`, locked until the transaction ends."""
    values = {"account_id": account_id, "ids": list(ids)}
    with connection.cursor(row_factory=class_row(Attachment)) as cursor:
        return {row.id: row for row in cursor.execute(_SQL["lock_all"], values).fetchall()}


def settle(connection: Connection, attachment_id: UUID, state: AttachmentState) -> None:
    connection.execute(_SQL["settle"], {"id": attachment_id, "state": state.value})


def claim(connection: Connection, ids: Sequence[UUID], message_id: int) -> None:
    connection.execute(_SQL["claim"], {"ids": list(ids), "message_id": message_id})
