"""Which users an account may name. Kept where only the project writes: `app_metadata` of `auth.users`.

Asked by every service that takes a user's id from a request; written by `crossfade users`, never by a request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from gateway.db import Connection
from realtime_bridge import sql
from realtime_bridge.parity.canary_user import CANARY_ID

_SQL = sql.load(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: UUID
    email: str | None


def find_unknown_users(
    connection: Connection, account_id: UUID, user_ids: Sequence[UUID], *, everybody: bool
) -> set[UUID]:
    """Return those ids that the account may not name, alike whether or not somebody has them.

    `everybody`: it may name every user of the project, and only ids that nobody has are unknown.
    """
    values = {"account_id": account_id, "user_ids": list(user_ids), "everybody": everybody, "canary_id": CANARY_ID}
    with connection.cursor(row_factory=scalar_row) as cursor:
        return set(cursor.execute(_SQL["find_unknown_users"], values).fetchall())


def is_account(connection: Connection, account_id: UUID) -> bool:
    values = {"account_id": account_id, "canary_id": CANARY_ID}
    return connection.execute(_SQL["find_account"], values).fetchone() is not None


def allow_users(connection: Connection, account_id: UUID, names: Sequence[str]) -> list[User]:
    """Let the account name users, by id or e-mail address; return those that were found."""
    return _change(connection, "allow_users", account_id, names)


def forbid_users(connection: Connection, account_id: UUID, names: Sequence[str]) -> list[User]:
    """Take it back; return those whom it concerned. Who takes part in a conversation still does."""
    return _change(connection, "forbid_users", account_id, names)


def list_users(connection: Connection, account_id: UUID) -> list[User]:
    with connection.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(_SQL["list_users"], {"account_id": account_id}).fetchall()


def _change(connection: Connection, query: str, account_id: UUID, names: Sequence[str]) -> list[User]:
    values = {"account_id": account_id, "names": [name.lower() for name in names], "canary_id": CANARY_ID}
    with connection.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(_SQL[query], values).fetchall()
