"""Rows of `chat_attachments`, always within one account. Called by services/attachments.py."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from psycopg.rows import class_row

from gateway.database import Connection
from gateway.domain.attachments import Attachment, AttachmentState, NewAttachment
from realtime_bridge.shared import sql

_SQL = sql.Queries(__file__)


def create(
    connection: Connection, account_id: UUID, attachment_id: UUID, storage_key: str, new: NewAttachment
) -> Attachment:
    values = asdict(new) | {"id": attachment_id, "account_id": account_id, "storage_key": storage_key}
    return _SQL.get_row(connection, "create", class_row(Attachment), **values)


def find(connection: Connection, account_id: UUID, attachment_id: UUID) -> Attachment | None:
    return _SQL.find_row(connection, "find", class_row(Attachment), account_id=account_id, id=attachment_id)


def lock_all(connection: Connection, account_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Attachment]:
    """Return those of the account among `ids`, locked until the transaction ends."""
    values = {"account_id": account_id, "ids": list(ids)}
    return {row.id: row for row in _SQL.list_rows(connection, "lock_all", class_row(Attachment), **values)}


def settle(connection: Connection, attachment_id: UUID, state: AttachmentState) -> None:
    _SQL.run(connection, "settle", id=attachment_id, state=state.value)


def claim(connection: Connection, ids: Sequence[UUID], message_id: int) -> None:
    _SQL.run(connection, "claim", ids=list(ids), message_id=message_id)
