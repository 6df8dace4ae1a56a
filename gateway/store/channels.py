"""Rows of `chat_channels`, always within one account. Called by services/channels.py; never reads a secret back."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from gateway.database import Connection
from gateway.domain.channels import Channel
from realtime_bridge.shared import sql

_SQL = sql.Queries(__file__)
_KEPT = dict.fromkeys(("base_url", "provider_user_id", "enabled"))


def lock_and_count(connection: Connection, account_id: UUID) -> int:
    """Count those of an account, and let no other of its creations in until the end of the transaction."""
    _SQL.run(connection, "lock_account", account_id=account_id)
    return int(_SQL.get_value(connection, "count_channels", account_id=account_id))


def insert(connection: Connection, account_id: UUID, channel_id: UUID, columns: Mapping[str, Any]) -> Channel:
    """Store a channel with its sealed secrets. Raises UniqueViolation for a name that is taken."""
    return _SQL.get_row(connection, "insert", class_row(Channel), **columns, account_id=account_id, id=channel_id)


def list_some(connection: Connection, account_id: UUID, channel_id: UUID | None = None) -> list[Channel]:
    """Return all of the account's, or the one that is named, if there is."""
    return _SQL.list_rows(connection, "list_some", class_row(Channel), account_id=account_id, id=channel_id)


def update(connection: Connection, account_id: UUID, channel_id: UUID, columns: Mapping[str, Any]) -> Channel | None:
    """Change what is given, and not None but for the user's id; None when the account has no such channel."""
    clears = "provider_user_id" in columns and columns["provider_user_id"] is None
    values = _KEPT | dict(columns) | {"clears_provider_user_id": clears}
    return _SQL.find_row(connection, "update", class_row(Channel), **values, account_id=account_id, id=channel_id)


def delete(connection: Connection, account_id: UUID, channel_id: UUID) -> bool:
    """Remove a channel with its contacts and its queue; conversations stay. False when there is none."""
    return _SQL.run(connection, "delete", account_id=account_id, id=channel_id) > 0
