"""Bring a database to the newest schema, with errors that an operator can read. Called by `migrate` and `up`."""

from alembic.util.exc import CommandError
from sqlalchemy.exc import DBAPIError

from migrations.upgrade import upgrade
from ops.errors import OpsError


class MigrationError(OpsError):
    """The database cannot be brought to this version's schema."""


def migrate(database_url: str) -> None:
    """Run every outstanding version; raises MigrationError with the server's or Alembic's reason."""
    try:
        upgrade(database_url.replace("postgres://", "postgresql://", 1))
    except DBAPIError as error:  # its own text quotes the whole statement; the server's says what is wrong
        raise MigrationError(str(error.orig)) from error
    except CommandError as error:
        raise MigrationError(f"The database is not one that this version of Crossfade knows: {error}") from error
