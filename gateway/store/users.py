"""Users whom an account may name. Kept where only the project writes: `app_metadata` of `auth.users`.

Asked by every service that takes a user's id from a request; written by `crossfade users`, never by a request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from gateway.database import Connection
from gateway.domain.accounts import UserScope
from realtime_bridge.shared import sql
from realtime_bridge.shared.canary_user import CANARY_ID

_SQL = sql.Queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: UUID
    email: str | None


def find_unknown_users(connection: Connection, account_id: UUID, user_ids: Sequence[UUID]) -> set[UUID]:
    """Return those ids that the account may not name, alike whether or not somebody has them."""
    values = {"account_id": account_id, "user_ids": list(user_ids), "canary_id": CANARY_ID}
    return set(_SQL.list_values(connection, "find_unknown_users", **values))


def is_account(connection: Connection, account_id: UUID) -> bool:
    return _SQL.run(connection, "find_account", account_id=account_id, canary_id=CANARY_ID) > 0


def allow_users(connection: Connection, account_id: UUID, names: Sequence[str]) -> list[User]:
    """Let the account name users, by id or e-mail address; return those that were found."""
    return _change(connection, "allow_users", account_id, names)


def forbid_users(connection: Connection, account_id: UUID, names: Sequence[str]) -> list[User]:
    """Take it back; return those whom it concerned. `end_membership` takes them out of the conversations."""
    return _change(connection, "forbid_users", account_id, names)


def end_membership(connection: Connection, account_id: UUID, user_id: UUID, at_most: int) -> int:
    """Take a user out of up to `at_most` of the account's conversations, each with its event; return how many."""
    values = {"account_id": account_id, "user_id": user_id, "at_most": at_most}
    return int(_SQL.find_value(connection, "end_membership", **values) or 0)


def close_sockets(connection: Connection, account_id: UUID, user_id: UUID) -> None:
    """Have every bridge close the user's legacy sockets once, and forget what the account's session was told."""
    _SQL.run(connection, "close_sockets", user_id=user_id)
    _SQL.run(connection, "forget_session", user_id=user_id, account_id=account_id)


def evict_user(connection: Connection, user_id: UUID) -> None:
    """Have every bridge close the user's legacy sockets; tokens that were signed until now open nothing any more."""
    _SQL.run(connection, "evict_user", user_id=user_id)


def find_users(connection: Connection, names: Sequence[str]) -> list[User]:
    """Return users of the project, by id or e-mail address."""
    return _SQL.list_rows(connection, "find_users", class_row(User), names=[name.lower() for name in names])


def find_session_end(connection: Connection, user_id: UUID) -> datetime | None:
    """Return until when the newest token that a realtime session gave this user lives."""
    return _SQL.find_value(connection, "find_session_end", user_id=user_id)


def set_scope(connection: Connection, scope: UserScope) -> None:
    _SQL.run(connection, "set_scope", scope=scope.value)


def get_scope(connection: Connection) -> UserScope:
    """Return whom accounts may name: listed users, until somebody has said otherwise."""
    return UserScope(_SQL.find_value(connection, "get_scope") or UserScope.LISTED)


def list_users(connection: Connection, account_id: UUID) -> list[User]:
    return _SQL.list_rows(connection, "list_users", class_row(User), account_id=account_id)


def _change(connection: Connection, query: str, account_id: UUID, names: Sequence[str]) -> list[User]:
    values = {"account_id": account_id, "names": [name.lower() for name in names], "canary_id": CANARY_ID}
    return _SQL.list_rows(connection, query, class_row(User), **values)
