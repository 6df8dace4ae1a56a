"""Probes of the database for `/readyz`, and a gateway's own report."""

from os import urandom

from gateway.database import Connection
from realtime_bridge.shared import sql

PAGE_BYTES = 7_000  # of a page's 8,192: no other row fits beside it

_SQL = sql.Queries(__file__)


def find_schema_version(connection: Connection) -> str | None:
    """Return the newest applied migration."""
    return _SQL.find_value(connection, "find_schema_version")


def try_write(connection: Connection) -> None:
    """Do what every write does, and take it back. Raises what they would: read-only, no room on the disk."""
    with connection.transaction(force_rollback=True):
        _SQL.run(connection, "try_write", filler=urandom(PAGE_BYTES))


def report(connection: Connection, name: str, provider: str) -> None:
    """Say that a gateway is here, and by what it answers; bridges write such rows, too (fleet/reports.py)."""
    _SQL.run(connection, "report", name=name, provider=provider)
