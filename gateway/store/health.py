"""What `/readyz` asks the database."""

from os import urandom

from psycopg.rows import scalar_row

from gateway.db import Connection
from realtime_bridge import sql

PAGE_BYTES = 7_000  # of a page's 8,192: no other row fits beside it

_SQL = sql.load(__file__)


def find_schema_version(connection: Connection) -> str | None:
    """Return the newest applied migration."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(_SQL["find_schema_version"]).fetchone()


def try_write(connection: Connection) -> None:
    """Do what every write does, and take it back. Raises what they would: read-only, no room on the disk."""
    with connection.transaction(force_rollback=True):
        connection.execute(_SQL["try_write"], {"filler": urandom(PAGE_BYTES)})
