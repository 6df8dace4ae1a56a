"""Rows of `chat_api_keys`. Used by the key cache, the gate and `crossfade keys`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from psycopg.rows import BaseRowFactory, kwargs_row

from gateway.database import Connection
from gateway.domain.key_text import KeyText
from gateway.domain.keys import ApiKey, NewKey
from realtime_bridge.shared import sql

_SQL = sql.Queries(__file__)


def _api_key(*, scopes: list[str], secret_hash: bytes, **columns: object) -> ApiKey:
    return ApiKey(scopes=tuple(scopes), secret_hash=bytes(secret_hash), **columns)  # type: ignore[arg-type]


_ROW: BaseRowFactory[ApiKey] = kwargs_row(_api_key)


def insert(connection: Connection, key: KeyText, account_id: UUID, new: NewKey) -> ApiKey:
    """Store a minted key by its hash. A ForeignKeyViolation means that there is no such account."""
    values = asdict(new) | {
        "id": key.id,
        "account_id": account_id,
        "env": key.env,
        "prefix": key.prefix,
        "secret_hash": key.sha256,
        "scopes": list(new.scopes),
    }
    return _SQL.get_row(connection, "insert", _ROW, **values)


def find(connection: Connection, key_id: str) -> ApiKey | None:
    return next(iter(list_by_ids(connection, [key_id])), None)


def list_by_ids(connection: Connection, key_ids: Sequence[str]) -> list[ApiKey]:
    return _SQL.list_rows(connection, "list_by_ids", _ROW, ids=list(key_ids))


def revoke(connection: Connection, key_id: str) -> ApiKey | None:
    """Return the revoked key, or None when there is none of that id."""
    return _SQL.find_row(connection, "revoke", _ROW, id=key_id)


def lock_account(connection: Connection, account_id: UUID) -> None:
    _SQL.run(connection, "lock_account", account_id=account_id)


def count_active(connection: Connection, account_id: UUID) -> int:
    return int(_SQL.find_value(connection, "count_active", account_id=account_id) or 0)


def list_some(
    connection: Connection, account_id: UUID | None, *, after: str | None = None, fetch: int | None = None
) -> list[ApiKey]:
    """Return an account's or everybody's, the newest first."""
    return _SQL.list_rows(connection, "list_some", _ROW, account_id=account_id, after=after, fetch=fetch)


def lock(connection: Connection, account_id: UUID, key_id: str) -> ApiKey | None:
    return _SQL.find_row(connection, "lock", _ROW, account_id=account_id, id=key_id)


def replace(connection: Connection, key_id: str, replaced_by: str, expires_at: datetime) -> ApiKey:
    """Point a locked key to its successor and let it end at `expires_at`, or earlier if it was to end earlier."""
    return _SQL.get_row(connection, "replace", _ROW, id=key_id, replaced_by=replaced_by, expires_at=expires_at)


def touch(connection: Connection, used: Mapping[str, datetime]) -> None:
    """Write down when keys were last used."""
    _SQL.run(connection, "touch", ids=list(used), times=list(used.values()))
