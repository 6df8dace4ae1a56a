"""Rows of `chat_channels`, always within one account. Called by services/channels.py; never reads a secret back."""

from uuid import UUID

from psycopg.rows import class_row

from gateway.db import Connection
from gateway.domain import Channel, ChannelChange, NewChannel
from realtime_bridge import sql

_SQL = sql.load(__file__)


def insert(
    connection: Connection, account_id: UUID, channel_id: UUID, new: NewChannel, token: bytes, hmac_key: bytes
) -> Channel:
    """Store a channel with its sealed secrets. Raises UniqueViolation for a name that is taken."""
    values = {
        "id": channel_id,
        "account_id": account_id,
        "kind": new.kind,
        "name": new.name,
        "base_url": new.base_url,
        "provider_user_id": new.provider_user_id,
        "sealed_token": token,
        "sealed_hmac_key": hmac_key,
        "enabled": new.enabled,
    }
    with connection.cursor(row_factory=class_row(Channel)) as cursor:
        row = cursor.execute(_SQL["insert"], values).fetchone()
    assert row is not None  # noqa: S101 an insert returns its row or raises
    return row


def find(connection: Connection, account_id: UUID, channel_id: UUID) -> Channel | None:
    with connection.cursor(row_factory=class_row(Channel)) as cursor:
        return cursor.execute(_SQL["find"], {"account_id": account_id, "id": channel_id}).fetchone()


def list_all(connection: Connection, account_id: UUID) -> list[Channel]:
    with connection.cursor(row_factory=class_row(Channel)) as cursor:
        return cursor.execute(_SQL["list_all"], {"account_id": account_id}).fetchall()


def update(
    connection: Connection,
    account_id: UUID,
    channel_id: UUID,
    change: ChannelChange,
    token: bytes | None,
    hmac_key: bytes | None,
) -> Channel | None:
    """Change what is given; None when the account has no such channel."""
    values = {
        "id": channel_id,
        "account_id": account_id,
        "base_url": change.base_url,
        "provider_user_id": change.provider_user_id,
        "clears_provider_user_id": change.clears_provider_user_id,
        "sealed_token": token,
        "sealed_hmac_key": hmac_key,
        "enabled": change.enabled,
    }
    with connection.cursor(row_factory=class_row(Channel)) as cursor:
        return cursor.execute(_SQL["update"], values).fetchone()


def delete(connection: Connection, account_id: UUID, channel_id: UUID) -> bool:
    """Remove a channel with its contacts and its queue; conversations stay. False when there is none."""
    return connection.execute(_SQL["delete"], {"account_id": account_id, "id": channel_id}).fetchone() is not None
