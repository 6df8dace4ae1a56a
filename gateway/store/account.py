"""Rows of `chat_account_settings`. Used by services/account.py and `crossfade accounts`."""

from uuid import UUID

from psycopg.rows import class_row

from gateway.database import Connection
from gateway.domain.accounts import AccountSettings
from realtime_bridge.shared import sql

_SQL = sql.Queries(__file__)


def find(connection: Connection, account_id: UUID) -> AccountSettings | None:
    """Return the account's settings; None when there is no such user."""
    return _SQL.find_row(connection, "find", class_row(AccountSettings), account_id=account_id)


def store(connection: Connection, account_id: UUID, *, content_html: bool) -> None:
    """Note the choice; the same again changes nothing."""
    _SQL.run(connection, "store", account_id=account_id, content_html=content_html)
