"""Rows of `chat_api_keys`. Used by the key cache, the gate and `crossfade keys`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from psycopg.rows import BaseRowFactory, kwargs_row, scalar_row

from gateway.api_keys import KeyText
from gateway.db import Connection
from gateway.domain import ApiKey
from realtime_bridge import sql

_SQL = sql.load(__file__)


def _api_key(*, scopes: list[str], secret_hash: bytes, **columns: object) -> ApiKey:
    return ApiKey(scopes=tuple(scopes), secret_hash=bytes(secret_hash), **columns)  # type: ignore[arg-type]


_ROW: BaseRowFactory[ApiKey] = kwargs_row(_api_key)


def insert(
    connection: Connection,
    key: KeyText,
    *,
    account_id: UUID,
    name: str,
    scopes: Sequence[str],
    rate_limit: int | None,
    send_rate_limit: int | None,
    expires_at: datetime | None,
) -> ApiKey:
    """Store a minted key by its hash. A ForeignKeyViolation means that there is no such account."""
    values = {
        "id": key.id,
        "account_id": account_id,
        "name": name,
        "env": key.env,
        "prefix": key.prefix,
        "secret_hash": key.sha256,
        "scopes": list(scopes),
        "rate_limit": rate_limit,
        "send_rate_limit": send_rate_limit,
        "expires_at": expires_at,
    }
    with connection.cursor(row_factory=_ROW) as cursor:
        row = cursor.execute(_SQL["insert"], values).fetchone()
    assert row is not None  # noqa: S101 an insert returns its row or raises
    return row


def find(connection: Connection, key_id: str) -> ApiKey | None:
    with connection.cursor(row_factory=_ROW) as cursor:
        return cursor.execute(_SQL["find"], {"id": key_id}).fetchone()


def list_by_ids(connection: Connection, key_ids: Sequence[str]) -> list[ApiKey]:
    with connection.cursor(row_factory=_ROW) as cursor:
        return cursor.execute(_SQL["list_by_ids"], {"ids": list(key_ids)}).fetchall()


def list_all(connection: Connection, account_id: UUID | None = None) -> list[ApiKey]:
    with connection.cursor(row_factory=_ROW) as cursor:
        return cursor.execute(_SQL["list_all"], {"account_id": account_id}).fetchall()


def revoke(connection: Connection, key_id: str) -> ApiKey | None:
    """Return the revoked key, or None when there is none of that id."""
    with connection.cursor(row_factory=_ROW) as cursor:
        return cursor.execute(_SQL["revoke"], {"id": key_id}).fetchone()


def lock_account(connection: Connection, account_id: UUID) -> None:
    connection.execute(_SQL["lock_account"], {"account_id": account_id})


def count_active(connection: Connection, account_id: UUID) -> int:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute(_SQL["count_active"], {"account_id": account_id}).fetchone() or 0)


def list_page(connection: Connection, account_id: UUID, *, after: str | None, fetch: int) -> list[ApiKey]:
    with connection.cursor(row_factory=_ROW) as cursor:
        return cursor.execute(_SQL["list_page"], {"account_id": account_id, "after": after, "fetch": fetch}).fetchall()


def lock(connection: Connection, account_id: UUID, key_id: str) -> ApiKey | None:
    with connection.cursor(row_factory=_ROW) as cursor:
        return cursor.execute(_SQL["lock"], {"account_id": account_id, "id": key_id}).fetchone()


def replace(connection: Connection, key_id: str, replaced_by: str, expires_at: datetime) -> ApiKey:
    """Point a locked key to its successor and let it end at `expires_at`, or earlier if it was to end earlier."""
    values = {"id": key_id, "replaced_by": replaced_by, "expires_at": expires_at}
    with connection.cursor(row_factory=_ROW) as cursor:
        row = cursor.execute(_SQL["replace"], values).fetchone()
    assert row is not None  # noqa: S101 the row is locked
    return row


def touch(connection: Connection, used: Mapping[str, datetime]) -> None:
    """Write down when keys were last used."""
    connection.execute(_SQL["touch"], {"ids": list(used), "times": list(used.values())})
