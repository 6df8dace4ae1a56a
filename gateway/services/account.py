"""Choices of an account for itself."""

from uuid import UUID

from gateway.database import Connection, Database
from gateway.domain.accounts import AccountSettings
from gateway.errors import there
from gateway.store import account as store


def get_account(database: Database, account_id: UUID) -> AccountSettings:
    with database.connection() as connection:
        return _get(connection, account_id)


def change_account(database: Database, account_id: UUID, *, content_html: bool) -> AccountSettings:
    """Store the choice. It holds for what goes out from now on, in every process within a second."""
    with database.connection() as connection, connection.transaction():
        _get(connection, account_id)
        store.store(connection, account_id, content_html=content_html)
        return _get(connection, account_id)


def _get(connection: Connection, account_id: UUID) -> AccountSettings:
    return there(store.find(connection, account_id), "The account's own user is gone.")
