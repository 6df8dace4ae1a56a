"""The worker's Postgres connections, and the one place where database errors become answers."""

import contextlib
import select
from collections.abc import Iterator
from typing import TypeAlias

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from gateway.errors import ServiceUnavailable

Connection: TypeAlias = psycopg.Connection[TupleRow]

CONNECT_TIMEOUT_S = 3  # a database that does not accept within this is down for the caller
STATEMENT_TIMEOUT_MS = 5_000  # the slowest honest statement takes milliseconds
LOCK_TIMEOUT_MS = 3_000  # writers of one conversation queue; past this the queue is the problem
CHECKOUT_TIMEOUT_S = 2.0  # waiting longer for a connection only makes the client's timeout ours
QUEUE_PER_CONNECTION = 4  # past this, answering 503 at once is kinder than a place in the queue
KEEPALIVE = {  # a peer that vanished without a word is noticed in about ten seconds instead of two hours
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
SESSION = (
    f"set statement_timeout = {STATEMENT_TIMEOUT_MS}; set lock_timeout = {LOCK_TIMEOUT_MS};"
    " set idle_in_transaction_session_timeout = 10000; set timezone = 'UTC'"
)
TRANSIENT = (
    psycopg.OperationalError,  # connection lost, timeouts, deadlocks, too many connections
    psycopg.InterfaceError,  # the connection was closed under us
    psycopg.errors.ReadOnlySqlTransaction,  # a failover is going on
    PoolTimeout,
    TooManyRequests,
)


class Database:
    """A pool, opened after the worker is forked. `connection()` is autocommit: one statement is one transaction."""

    def __init__(self, url: str, *, pool_size: int) -> None:
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            kwargs={"autocommit": True, "application_name": "crossfade-gateway", **KEEPALIVE},
            min_size=min(2, pool_size),
            max_size=pool_size,
            max_waiting=pool_size * QUEUE_PER_CONNECTION,
            timeout=CHECKOUT_TIMEOUT_S,
            reconnect_timeout=30,  # seconds of backoff per attempt to refill; the next request starts a new one
            configure=configure,
            check=check_alive,
            name="gateway",
            open=False,
        )

    def open(self) -> None:
        self._pool.open(wait=False)

    def close(self) -> None:
        self._pool.close(timeout=2)

    @contextlib.contextmanager
    def connection(self, timeout_s: float = CHECKOUT_TIMEOUT_S) -> Iterator[Connection]:
        """Lend a connection; everything that a retry may cure comes out as ServiceUnavailable (503)."""
        try:
            with self._pool.connection(timeout=timeout_s) as connection:
                yield connection
        except TRANSIENT as error:
            raise ServiceUnavailable from error


def configure(connection: Connection) -> None:
    connection.execute(SESSION)


def check_alive(connection: Connection) -> None:
    """Raise if the server has hung up. Costs no round trip: an idle connection has nothing to read but a goodbye."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        connection.execute("select 1")  # a notice or a changed setting is fine, an end of file is not
