"""Rows of `chat_external_webhooks`, their queues and secrets, always of one account. Called by services/webhooks.py."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row, scalar_row

from gateway.db import Connection
from gateway.webhook_domain import WebhookSettings
from realtime_bridge import sql

_SQL = sql.load(__file__)


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
    connection.execute(_SQL["lock_account"], {"account_id": account_id})


def count_webhooks(connection: Connection, account_id: UUID) -> int:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(_SQL["count_webhooks"], {"account_id": account_id}).fetchone() or 0


def insert_webhook(
    connection: Connection, account_id: UUID, settings: WebhookSettings, headers_sealed: bytes | None
) -> tuple[int, str]:
    values = _columns(settings, headers_sealed) | {"account_id": account_id}
    with connection.cursor(row_factory=class_row(_Made)) as cursor:
        row = cursor.execute(_SQL["insert_webhook"], values).fetchone()
    assert row is not None  # noqa: S101 an insert returns its row or raises
    return row.id, row.representation


def find_webhook(connection: Connection, account_id: UUID, webhook_id: int) -> str | None:
    values = {"account_id": account_id, "webhook_id": webhook_id}
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(_SQL["find_webhook"], values).fetchone()


def list_webhooks(connection: Connection, account_id: UUID) -> list[str]:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(_SQL["list_webhooks"], {"account_id": account_id}).fetchall()


def lock_settings(connection: Connection, account_id: UUID, webhook_id: int) -> Stored | None:
    values = {"account_id": account_id, "webhook_id": webhook_id}
    with connection.cursor(row_factory=class_row(Stored)) as cursor:
        return cursor.execute(_SQL["lock_settings"], values).fetchone()


def write_settings(
    connection: Connection, webhook_id: int, settings: WebhookSettings, headers_sealed: bytes | None
) -> None:
    connection.execute(_SQL["write_settings"], _columns(settings, headers_sealed) | {"webhook_id": webhook_id})


def write_paused(connection: Connection, webhook_id: int, *, paused: bool) -> None:
    connection.execute(_SQL["write_paused"], {"webhook_id": webhook_id, "paused": paused})


def delete_webhook(connection: Connection, account_id: UUID, webhook_id: int) -> bool:
    values = {"account_id": account_id, "webhook_id": webhook_id}
    return connection.execute(_SQL["delete_webhook"], values).fetchone() is not None


def lock_queue(connection: Connection, webhook_id: int) -> Queue:
    with connection.cursor(row_factory=class_row(Queue)) as cursor:
        row = cursor.execute(_SQL["lock_queue"], {"webhook_id": webhook_id}).fetchone()
    assert row is not None  # noqa: S101 made with the webhook, which is locked
    return row


def enable(connection: Connection, webhook_id: int) -> None:
    connection.execute(_SQL["enable"], {"webhook_id": webhook_id})


def insert_secret(connection: Connection, webhook_id: int, sealed: bytes, hint: str) -> str:
    values = {"webhook_id": webhook_id, "sealed": sealed, "hint": hint}
    with connection.cursor(row_factory=scalar_row) as cursor:
        shown = cursor.execute(_SQL["insert_secret"], values).fetchone()
    assert shown is not None  # noqa: S101 an insert returns its row or raises
    return str(shown)


def expire_secrets(connection: Connection, webhook_id: int, overlap_s: int) -> None:
    connection.execute(_SQL["expire_secrets"], {"webhook_id": webhook_id, "overlap_s": overlap_s})


def list_secrets(connection: Connection, account_id: UUID, webhook_id: int) -> list[str]:
    values = {"account_id": account_id, "webhook_id": webhook_id}
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(_SQL["list_secrets"], values).fetchall()


def find_live_secrets(connection: Connection, webhook_id: int) -> list[int]:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(_SQL["find_live_secrets"], {"webhook_id": webhook_id}).fetchall()


def delete_secret(connection: Connection, webhook_id: int, secret_id: int) -> None:
    connection.execute(_SQL["delete_secret"], {"webhook_id": webhook_id, "secret_id": secret_id})


def list_notices(connection: Connection, account_id: UUID, webhook_id: int) -> list[str]:
    values = {"account_id": account_id, "webhook_id": webhook_id}
    with connection.cursor(row_factory=dict_row) as cursor:
        return [row["representation"] for row in cursor.execute(_SQL["list_notices"], values).fetchall()]


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
