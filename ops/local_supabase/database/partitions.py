"""Daily partitions of realtime.messages: made ahead, dropped after the retention.

The server runs this at start and then hourly.
"""

from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg import sql

from realtime_bridge.shared.sql import Queries

DAYS_BEHIND = 1  # a transaction that began before midnight writes into yesterday
DAYS_AHEAD = 3  # Supabase's own horizon: a weekend without the janitor loses nothing
RETENTION_DAYS = 3  # 72 hours, what Supabase promises for replay

_SQL = Queries(__file__)


def missing_days(connection: psycopg.Connection[Any]) -> list[date]:
    """Return the days from yesterday to three days ahead that have no partition."""
    return _SQL.list_values(connection, "missing_days", days_behind=DAYS_BEHIND, days_ahead=DAYS_AHEAD)


def create_partition(connection: psycopg.Connection[Any], day: date) -> None:
    """Create the partition of one day; harmless when it exists."""
    connection.execute(
        sql.SQL(
            "create table if not exists realtime.{name} partition of realtime.messages"
            " for values from ({first}) to ({after})"
        ).format(
            name=sql.Identifier(f"messages_{day:%Y_%m_%d}"),
            first=sql.Literal(f"{day.isoformat()} 00:00:00"),
            after=sql.Literal(f"{(day + timedelta(days=1)).isoformat()} 00:00:00"),
        )
    )


def create_missing(connection: psycopg.Connection[Any]) -> list[date]:
    """Create every missing partition from yesterday to three days ahead; return the days made."""
    days = missing_days(connection)
    for day in days:
        create_partition(connection, day)
    return days


def drop_expired(connection: psycopg.Connection[Any], retention_days: int = RETENTION_DAYS) -> list[str]:
    """Drop partitions wholly older than the retention; return their names."""
    names = _SQL.list_values(connection, "expired_partitions", retention_days=retention_days)
    for name in names:
        connection.execute(sql.SQL("drop table if exists realtime.{}").format(sql.Identifier(name)))
    return names
