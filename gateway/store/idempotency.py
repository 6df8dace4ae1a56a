"""Rows of `idempotency_records`. Called by gateway/http/idempotency.py only."""

import contextlib
from collections.abc import Iterator

import psycopg
from psycopg.rows import tuple_row

from gateway.database import Connection
from realtime_bridge.shared import sql

KEEP_HOURS = 24  # Stripe's promise; a client that retries later than this looks first

_SQL = sql.Queries(__file__)


def try_lock(connection: Connection, record_id: bytes) -> bool:
    """Take the record's place until the transaction ends; False while another request holds it."""
    return _ask(connection, "try_lock", record_id)


@contextlib.contextmanager
def hold(connection: Connection, record_id: bytes) -> Iterator[bool]:
    """Take the record's place for the block, without a transaction; False while another request holds it."""
    if not _ask(connection, "try_hold", record_id):
        yield False
        return
    try:
        yield True
    finally:
        try:
            _ask(connection, "let_go", record_id)
        except psycopg.Error:
            connection.close()  # with its session the place is free, too


def _ask(connection: Connection, name: str, record_id: bytes) -> bool:
    lock = int.from_bytes(record_id[:8], "big", signed=True)
    return bool(_SQL.find_value(connection, name, lock=lock))


def find(connection: Connection, record_id: bytes) -> tuple[bytes, bytes] | None:
    """Return the fingerprint of the request and its sealed answer."""
    return _SQL.find_row(connection, "find", tuple_row, id=record_id, hours=KEEP_HOURS)


def remember(connection: Connection, record_id: bytes, fingerprint: bytes, sealed_answer: bytes) -> None:
    _SQL.run(connection, "remember", id=record_id, fingerprint=fingerprint, sealed_answer=sealed_answer)
