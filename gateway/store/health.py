"""What `/readyz` asks the database."""

from psycopg.rows import scalar_row

from gateway.db import Connection
from realtime_bridge import sql

_SQL = sql.load(__file__)


def find_schema_version(connection: Connection, *, timeout_ms: int) -> str | None:
    """Return the newest applied migration, within `timeout_ms`."""
    with connection.transaction(), connection.cursor(row_factory=scalar_row) as cursor:
        cursor.execute(_SQL["limit_time"], {"milliseconds": str(timeout_ms)})
        return cursor.execute(_SQL["get_schema_version"]).fetchone()
