"""Rows of `chat_external_webhooks`, their queues and secrets, always of one account. Called by services/webhooks.py."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row

from gateway.database import Connection
from gateway.domain.webhooks import WebhookSettings
from realtime_bridge.shared import sql

_SQL = sql.Queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Settings as they lie in the table: the headers are sealed."""

    url: str
    description: str | None
    event_types: list[str]
    headers_sealed: bytes | None
    max_in_flight: int
    max_per_second: int | None
    fifo: bool
    compatibility_signature: bool
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    health: str
    enabled_for_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    id: int
    representation: str


def lock_account(connection: Connection, account_id: UUID) -> None:
    _SQL.run(connection, "lock_account", account_id=account_id)


def count_webhooks(connection: Connection, account_id: UUID) -> int:
    return _SQL.find_value(connection, "count_webhooks", account_id=account_id) or 0


def insert_webhook(
    connection: Connection, account_id: UUID, settings: WebhookSettings, headers_sealed: bytes | None
) -> tuple[int, str]:
    values = _columns(settings, headers_sealed) | {"account_id": account_id}
    row = _SQL.get_row(connection, "insert_webhook", class_row(_Made), **values)
    return row.id, row.representation


def find_webhook(connection: Connection, account_id: UUID, webhook_id: int) -> str | None:
    return _SQL.find_value(connection, "find_webhook", account_id=account_id, webhook_id=webhook_id)


def list_webhooks(connection: Connection, account_id: UUID) -> list[str]:
    return _SQL.list_values(connection, "list_webhooks", account_id=account_id)


def lock_settings(connection: Connection, account_id: UUID, webhook_id: int) -> Stored | None:
    return _SQL.find_row(connection, "lock_settings", class_row(Stored), account_id=account_id, webhook_id=webhook_id)


def write_settings(
    connection: Connection, webhook_id: int, settings: WebhookSettings, headers_sealed: bytes | None
) -> None:
    _SQL.run(connection, "write_settings", **_columns(settings, headers_sealed), webhook_id=webhook_id)


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
    values = {"account_id": account_id, "webhook_id": webhook_id}
    return [row["representation"] for row in _SQL.list_rows(connection, "list_notices", dict_row, **values)]


def _columns(settings: WebhookSettings, headers_sealed: bytes | None) -> dict[str, Any]:
    return {
        "url": settings.url,
        "description": settings.description,
        "event_types": list(settings.event_types),
        "headers_sealed": headers_sealed,
        "header_names": sorted(settings.headers),
        "max_in_flight": settings.max_in_flight,
        "max_per_second": settings.max_per_second,
        "fifo": settings.fifo,
        "compatibility_signature": settings.compatibility_signature,
    }
