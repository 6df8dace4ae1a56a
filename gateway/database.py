"""Postgres connections of one worker. The one place where database errors become answers."""

import contextlib
import select
import threading
from collections import deque
from collections.abc import Iterator
from time import monotonic
from typing import Any, Self, TypeAlias, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from gateway.errors import ServiceUnavailable

Connection: TypeAlias = psycopg.Connection[TupleRow]
RV = TypeVar("RV")

STATEMENT_TIMEOUT_MS = 5_000  # the slowest honest statement takes milliseconds
ANSWER_TIMEOUT_S = 6.0  # past STATEMENT_TIMEOUT_MS only a server that is frozen stays silent
LOCK_TIMEOUT_MS = 3_000  # writers of one conversation queue; past this the queue is the problem
CHECKOUT_TIMEOUT_S = 2.0  # waiting longer for a connection only makes the client's timeout ours
DOWN_S = 0.2  # after a failed connect nobody tries again for so long: no storm on a database that is starting
KEEPALIVE = {  # a peer that vanished without a word is noticed in about ten seconds instead of two hours
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
SESSION = (
    f"set statement_timeout = {STATEMENT_TIMEOUT_MS}; set lock_timeout = {LOCK_TIMEOUT_MS};"
    " set idle_in_transaction_session_timeout = 10000; set timezone = 'UTC';"
    # Ours are short statements of many callers: starting workers, or a compiler, took longer than what they then did.
    " set max_parallel_workers_per_gather = 0; set jit = off"
)
PLANNED_ONCE = "set plan_cache_mode = force_generic_plan"  # for statements that read the partitions of the log
TRANSIENT = (
    psycopg.OperationalError,  # connection lost, timeouts, deadlocks, too many connections
    psycopg.InterfaceError,  # the connection was closed under us
    psycopg.errors.ReadOnlySqlTransaction,  # a failover is going on
)


class BoundedConnection(psycopg.Connection[TupleRow]):
    """Gives up on a server that neither answers nor hangs up; no timeout of the server's own can promise that."""

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Raise OperationalError after ANSWER_TIMEOUT_S; the connection is of no use then, and `Database` closes it."""
        return super().wait(gen, interval, ANSWER_TIMEOUT_S if timeout is None else timeout)


def connect(url: str, application_name: str) -> Connection:
    """Open an autocommit connection with every wait on it bounded."""
    conninfo = make_conninfo(url, application_name=application_name, **KEEPALIVE)
    connection = BoundedConnection.connect(conninfo, autocommit=True)
    connection.execute(SESSION)
    return connection


class _SavepointCursor(psycopg.Cursor[Any]):
    """In a joined transaction a statement that fails undoes itself only, as it does where it is its own transaction."""

    def execute(self, *arguments: Any, **options: Any) -> Self:
        marker = psycopg.Cursor(self.connection)
        marker.execute("savepoint statement")
        try:
            super().execute(*arguments, **options)
        except psycopg.Error:
            if self.connection.info.transaction_status == TransactionStatus.INERROR:
                marker.execute("rollback to savepoint statement")
            raise
        marker.execute("release savepoint statement")
        return self


class Database:
    """At most `pool_size` connections, opened by the thread that needs one and kept for the next.

    Not psycopg_pool: its background reconnecting backs off, so that after an outage of some seconds workers went on
    answering 503 for up to 16 s more, and during one every request waited its whole timeout. Here a refused connection
    is a 503 at once, and the first request after the outage succeeds.

    `planned_once` is for statements that are as good without knowing their values: the planner looks at every partition
    of the log for each place that names it, which took longer than reading it.
    """

    def __init__(self, url: str, *, pool_size: int, planned_once: bool = False) -> None:
        self._url = url
        self._planned_once = planned_once
        self._slots = threading.BoundedSemaphore(pool_size)
        self._idle: deque[Connection] = deque()
        self._down_until = 0.0
        self._closed = False
        self._joined = threading.local()

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend an autocommit connection: one statement is one transaction.

        Everything that a retry may cure comes out as ServiceUnavailable (503).
        """
        if (joined := getattr(self._joined, "connection", None)) is not None:
            yield joined
            return
        if not self._slots.acquire(timeout=CHECKOUT_TIMEOUT_S):
            raise ServiceUnavailable
        connection = None
        try:
            connection = self._take()
            yield connection
        except TRANSIENT as error:
            raise ServiceUnavailable from error
        finally:
            if connection is not None:
                self._give_back(connection)
            self._slots.release()

    @contextlib.contextmanager
    def joined(self) -> Iterator[Connection]:
        """Make all that this thread does through `connection()` within the block one transaction.

        For what must commit together with the writes of whatever is called: services need not know.
        """
        with self.pinned() as connection, connection.transaction():
            ordinary = connection.cursor_factory
            connection.cursor_factory = _SavepointCursor
            try:
                yield connection
            finally:
                connection.cursor_factory = ordinary

    @contextlib.contextmanager
    def pinned(self) -> Iterator[Connection]:
        """Make all that this thread does through `connection()` within the block use one connection.

        No transaction spans the block: what is done within it may call others over the network in between.
        """
        with self.connection() as connection:
            self._joined.connection = connection
            try:
                yield connection
            finally:
                self._joined.connection = None

    def _take(self) -> Connection:
        with contextlib.suppress(IndexError):  # the newest first, so that the rest may stay idle
            while True:
                connection = self._idle.pop()
                if is_alive(connection):
                    return connection
                connection.close()
        if monotonic() < self._down_until:
            raise psycopg.OperationalError("the database refused a connection a moment ago")
        try:
            connection = connect(self._url, "crossfade-gateway")
            if self._planned_once:
                connection.execute(PLANNED_ONCE)
        except psycopg.Error:
            self._down_until = monotonic() + DOWN_S
            raise
        return connection

    def _give_back(self, connection: Connection) -> None:
        if self._closed or connection.info.transaction_status != TransactionStatus.IDLE:
            connection.close()
        else:
            self._idle.append(connection)


def is_alive(connection: Connection) -> bool:
    """Whether the server is still there. Costs no round trip: an idle connection has nothing to read but a goodbye."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if not poll.poll(0):
        return True
    try:
        connection.execute("select 1")  # a notice or a changed setting is fine, an end of file is not
    except psycopg.Error:
        return False
    return True
