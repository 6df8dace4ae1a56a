"""Which users an account may name. Kept where only the project writes: `app_metadata` of `auth.users`.

Asked by every service that takes a user's id from a request; written by `crossfade users`, never by a request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from gateway.db import Connection
from realtime_bridge import sql

_SQL = sql.load(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: UUID
    email: str | None


def find_unknown_users(connection: Connection, account_id: UUID, user_ids: Sequence[UUID]) -> set[UUID]:
    """Return those ids that the account may not name, alike whether or not somebody has them."""
    values = {"account_id": account_id, "user_ids": list(user_ids)}
    with connection.cursor(row_factory=scalar_row) as cursor:
        return set(cursor.execute(_SQL["find_unknown_users"], values).fetchall())


def is_account(connection: Connection, account_id: UUID) -> bool:
    return connection.execute(_SQL["find_account"], {"account_id": account_id}).fetchone() is not None


def allow_users(connection: Connection, account_id: UUID, names: Sequence[str]) -> list[User]:
    """Let the account name users, by id or e-mail address; return those that were found."""
    return _change(connection, "allow_users", account_id, names)


def forbid_users(connection: Connection, account_id: UUID, names: Sequence[str]) -> list[User]:
    """Take it back; return those whom it concerned. Who takes part in a conversation still does."""
    return _change(connection, "forbid_users", account_id, names)


def allow_everybody(connection: Connection, account_id: UUID) -> None:
    """Let the account name every user of the project: for a project with one account."""
    connection.execute(_SQL["allow_everybody"], {"account_id": account_id})


def forbid_everybody(connection: Connection, account_id: UUID) -> None:
    connection.execute(_SQL["forbid_everybody"], {"account_id": account_id})


def may_name_everybody(connection: Connection, account_id: UUID) -> bool:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return bool(cursor.execute(_SQL["may_name_everybody"], {"account_id": account_id}).fetchone())


def list_users(connection: Connection, account_id: UUID) -> list[User]:
    """Return those who were allowed one by one."""
    with connection.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(_SQL["list_users"], {"account_id": account_id}).fetchall()


def _change(connection: Connection, query: str, account_id: UUID, names: Sequence[str]) -> list[User]:
    values = {"account_id": account_id, "names": [name.lower() for name in names]}
    with connection.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(_SQL[query], values).fetchall()
