"""The log that a seeded account would have: an event for each of its messages. Used by scale only."""

from typing import Any
from uuid import UUID

import psycopg

from realtime_bridge.shared import sql

RARE = "message.deleted"
EVERY = 50_000  # one event in so many is RARE: 40 of 2,000,000
BATCH = 50_000  # a second or two

_SQL = sql.Statements(__file__)


def ensure_written(connection: psycopg.Connection[Any], account_id: UUID) -> None:
    """Write the account's log, unless there is one. Needs autocommit."""
    values = {"account_id": account_id, "rare": RARE, "every": EVERY}
    row = connection.execute(_SQL["is_written"], values).fetchone()
    if row is not None and row[0]:
        return
    connection.execute(_SQL["make_past_partitions"])
    first, last = connection.execute(_SQL["find_ids"], values).fetchone() or (0, 0)
    for after in range(first - 1, last, BATCH):
        bounds = {"first": first, "last": last, "after": after, "upto": after + BATCH}
        connection.execute(_SQL["append_batch"], values | bounds)
    connection.execute(_SQL["refresh_statistics"])
