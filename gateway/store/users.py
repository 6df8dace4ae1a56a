"""Which users an account may name. Kept where only the project writes: `app_metadata` of `auth.users`.

Asked by every service that takes a user's id from a request; written by `crossfade users`, never by a request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from gateway.db import Connection
from gateway.domain import UserScope
from realtime_bridge import sql
from realtime_bridge.parity.canary_user import CANARY_ID

_SQL = sql.load(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: UUID
    email: str | None


def find_unknown_users(connection: Connection, account_id: UUID, user_ids: Sequence[UUID]) -> set[UUID]:
    """Return those ids that the account may not name, alike whether or not somebody has them."""
    values = {"account_id": account_id, "user_ids": list(user_ids), "canary_id": CANARY_ID}
    with connection.cursor(row_factory=scalar_row) as cursor:
        return set(cursor.execute(_SQL["find_unknown_users"], values).fetchall())


def is_account(connection: Connection, account_id: UUID) -> bool:
    values = {"account_id": account_id, "canary_id": CANARY_ID}
    return connection.execute(_SQL["find_account"], values).fetchone() is not None


def allow_users(connection: Connection, account_id: UUID, names: Sequence[str]) -> list[User]:
    """Let the account name users, by id or e-mail address; return those that were found."""
    return _change(connection, "allow_users", account_id, names)


def forbid_users(connection: Connection, account_id: UUID, names: Sequence[str]) -> list[User]:
    """Take it back; return those whom it concerned. `end_membership` takes them out of the conversations."""
    return _change(connection, "forbid_users", account_id, names)


def end_membership(connection: Connection, account_id: UUID, user_id: UUID, at_most: int) -> int:
    """Take a user out of up to `at_most` of the account's conversations, each with its event; return how many."""
    values = {"account_id": account_id, "user_id": user_id, "at_most": at_most}
    with connection.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute(_SQL["end_membership"], values).fetchone() or 0)


def close_sockets(connection: Connection, account_id: UUID, user_id: UUID) -> None:
    """Have every bridge close the user's legacy sockets once, and forget what the account's session was told."""
    connection.execute(_SQL["close_sockets"], {"user_id": user_id})
    connection.execute(_SQL["forget_session"], {"user_id": user_id, "account_id": account_id})


def evict_user(connection: Connection, user_id: UUID) -> None:
    """Have every bridge close the user's legacy sockets; tokens that were signed until now open nothing any more."""
    connection.execute(_SQL["evict_user"], {"user_id": user_id})


def find_users(connection: Connection, names: Sequence[str]) -> list[User]:
    """Return users of the project, by id or e-mail address."""
    with connection.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(_SQL["find_users"], {"names": [name.lower() for name in names]}).fetchall()


def find_session_end(connection: Connection, user_id: UUID) -> datetime | None:
    """Return until when the newest token that a realtime session gave this user lives."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(_SQL["find_session_end"], {"user_id": user_id}).fetchone()


def set_scope(connection: Connection, scope: UserScope) -> None:
    connection.execute(_SQL["set_scope"], {"scope": scope.value})


def get_scope(connection: Connection) -> UserScope:
    """Return whom accounts may name: listed users, until somebody has said otherwise."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return UserScope(cursor.execute(_SQL["get_scope"]).fetchone() or UserScope.LISTED)


def list_users(connection: Connection, account_id: UUID) -> list[User]:
    with connection.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(_SQL["list_users"], {"account_id": account_id}).fetchall()


def _change(connection: Connection, query: str, account_id: UUID, names: Sequence[str]) -> list[User]:
    values = {"account_id": account_id, "names": [name.lower() for name in names], "canary_id": CANARY_ID}
    with connection.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(_SQL[query], values).fetchall()
