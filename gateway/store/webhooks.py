"""Rows of `chat_external_webhooks`, their queues and secrets, always of one account. Called by services/webhooks.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row, tuple_row

from gateway.database import Connection
from realtime_bridge.shared import sql

_SQL = sql.Queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    health: str
    enabled_for_s: float | None


def lock_and_count(connection: Connection, account_id: UUID) -> int:
    """Count those of an account, and let no other of its creations in until the end of the transaction."""
    _SQL.run(connection, "lock_account", account_id=account_id)
    return int(_SQL.get_value(connection, "count_webhooks", account_id=account_id))


def insert_webhook(connection: Connection, account_id: UUID, columns: Mapping[str, Any]) -> tuple[int, str]:
    """Store an endpoint with these settings; return its id and representation."""
    webhook_id, shown = _SQL.get_row(connection, "insert_webhook", tuple_row, **columns, account_id=account_id)
    return webhook_id, shown


def list_some(connection: Connection, account_id: UUID, webhook_id: int | None = None) -> list[str]:
    """Return all of the account's, or the one that is named, if there is."""
    return _SQL.list_values(connection, "list_some", account_id=account_id, webhook_id=webhook_id)


def lock_settings(connection: Connection, account_id: UUID, webhook_id: int) -> dict[str, Any] | None:
    """Return the columns that an endpoint's owner decides, as `write_settings` takes them."""
    return _SQL.find_row(connection, "lock_settings", dict_row, account_id=account_id, webhook_id=webhook_id)


def write_settings(connection: Connection, webhook_id: int, columns: Mapping[str, Any]) -> None:
    _SQL.run(connection, "write_settings", **columns, webhook_id=webhook_id)


def write_paused(connection: Connection, webhook_id: int, *, paused: bool) -> None:
    _SQL.run(connection, "write_paused", webhook_id=webhook_id, paused=paused)


def delete_webhook(connection: Connection, account_id: UUID, webhook_id: int) -> bool:
    return _SQL.run(connection, "delete_webhook", account_id=account_id, webhook_id=webhook_id) > 0


def lock_queue(connection: Connection, webhook_id: int) -> Queue:
    return _SQL.get_row(connection, "lock_queue", class_row(Queue), webhook_id=webhook_id)


def enable(connection: Connection, webhook_id: int) -> None:
    _SQL.run(connection, "enable", webhook_id=webhook_id)


def insert_secret(connection: Connection, webhook_id: int, sealed: bytes, hint: str) -> str:
    return str(_SQL.get_value(connection, "insert_secret", webhook_id=webhook_id, sealed=sealed, hint=hint))


def expire_secrets(connection: Connection, webhook_id: int, overlap_s: int) -> None:
    _SQL.run(connection, "expire_secrets", webhook_id=webhook_id, overlap_s=overlap_s)


def list_secrets(connection: Connection, account_id: UUID, webhook_id: int) -> list[str]:
    return _SQL.list_values(connection, "list_secrets", account_id=account_id, webhook_id=webhook_id)


def find_live_secrets(connection: Connection, webhook_id: int) -> list[int]:
    return _SQL.list_values(connection, "find_live_secrets", webhook_id=webhook_id)


def delete_secret(connection: Connection, webhook_id: int, secret_id: int) -> None:
    _SQL.run(connection, "delete_secret", webhook_id=webhook_id, secret_id=secret_id)


def list_notices(connection: Connection, account_id: UUID, webhook_id: int) -> list[str]:
    return _SQL.list_values(connection, "list_notices", account_id=account_id, webhook_id=webhook_id)
