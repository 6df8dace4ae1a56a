"""What `/readyz` asks the database."""

from psycopg.rows import scalar_row

from gateway.db import Connection
from realtime_bridge import sql

_SQL = sql.load(__file__)


def find_schema_version(connection: Connection) -> str | None:
    """Return the newest applied migration."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(_SQL["find_schema_version"]).fetchone()
