"""Connections of the endpoint's own, for policies, replays and subscriptions. A few."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from ops.local_supabase.settings import Settings

MOST_CONNECTIONS = 6  # policies are short; hosted projects begin with two

STATEMENT_TIMEOUT_MS = 8000  # what Supabase gives the role `authenticated`; a policy may not hold a connection longer

Connection = psycopg.AsyncConnection[TupleRow]


class DatabaseUnavailableError(Exception):
    """No connection to the database within the time we wait."""


class Sessions:
    """Lends connections that are known to be alive, each inside a transaction that is rolled back at the end."""

    def __init__(self, settings: Settings) -> None:
        timeout_s = settings.timings.database_timeout_s
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            settings.database_url,
            min_size=1,
            max_size=MOST_CONNECTIONS,
            timeout=timeout_s,
            reconnect_timeout=timeout_s,
            open=False,
            check=AsyncConnectionPool.check_connection,
            kwargs={
                "application_name": "realtime",
                "connect_timeout": max(2, int(timeout_s)),
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={STATEMENT_TIMEOUT_MS}",
            },
        )

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close(timeout=2)

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Connection]:
        """Lend a connection; whatever happened on it is rolled back. Raises DatabaseUnavailableError."""
        try:
            async with self._pool.connection() as connection:
                try:
                    yield connection
                finally:
                    if not connection.closed:
                        await connection.rollback()
                        await connection.set_autocommit(False)
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise DatabaseUnavailableError(str(error)) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection whose work is committed unless it raises. Raises DatabaseUnavailableError."""
        async with self.borrow() as connection, connection.transaction():
            yield connection
