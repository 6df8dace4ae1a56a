"""Migration with errors that an operator can read. Called by `migrate` and `up`."""

from collections.abc import Callable

from alembic.util.exc import CommandError
from sqlalchemy.exc import DBAPIError

from migrations.lock import WAIT_S, MigrationBusyError
from migrations.upgrade import Step, upgrade
from ops.errors import OpsError
from ops.terminal.reasons import is_unusable


def migrate(database_url: str, *, wait_s: float = WAIT_S, say: Callable[[str], None] = lambda _: None) -> Step:
    """Run every outstanding version, one process at a time, and return what changed; raises OpsError.

    A database that cannot be reached is psycopg's own error, as in every command. `say` gets a sentence when it has to
    wait for another migration, and for each index that it has to repair.
    """
    try:
        return upgrade(database_url.replace("postgres://", "postgresql://", 1), wait_s=wait_s, say=say)
    except MigrationBusyError as error:
        raise OpsError(str(error)) from error
    except DBAPIError as error:  # its own text quotes the whole statement; the server's says what is wrong
        if error.orig and is_unusable(error.orig):
            raise error.orig from error
        raise OpsError(str(error.orig)) from error
    except CommandError as error:
        raise OpsError(f"The database is not one that this version of Crossfade knows: {error}") from error
