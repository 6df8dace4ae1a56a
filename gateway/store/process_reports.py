"""Rows of `bridge_reports` that are gateways'. Bridges write theirs in realtime_bridge/reports.py, which reads all."""

from gateway.db import Connection
from realtime_bridge import sql

_SQL = sql.load(__file__)


def report(connection: Connection, name: str, provider: str) -> None:
    """Say that a gateway is here, and by what it answers."""
    connection.execute(_SQL["report"], {"name": name, "provider": provider})
