"""Rows of `bridge_reports` that are gateways'. Bridges write theirs in realtime_bridge/reports.py, which reads all."""

from gateway.database import Connection
from realtime_bridge.shared import sql

_SQL = sql.Queries(__file__)


def report(connection: Connection, name: str, provider: str) -> None:
    """Say that a gateway is here, and by what it answers."""
    _SQL.run(connection, "report", name=name, provider=provider)
