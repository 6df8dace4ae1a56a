"""Connections of the bridge. Called by `__main__`; every wait on Postgres has a bound that is set here."""

from typing import Any

from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

Pool = AsyncConnectionPool[AsyncConnection[Any]]


CONNECT_TIMEOUT_S = 5  # a restarting Postgres refuses at once; only a dead network takes longer
POOL_TIMEOUT_S = 5.0  # a relay that gets no connection backs off and says so
MAX_IDLE_S = 20.0  # a connection keeps buffers as large as its largest answer: after a burst they go one by one
STATEMENT_TIMEOUT_MS = 15_000  # the largest page of a relay takes well under a second
LOCK_TIMEOUT_MS = 3_000  # a row that somebody holds longer is tried again later
IDLE_TRANSACTION_TIMEOUT_MS = 15_000  # a hung bridge must not hold the cursor's row


def pool(database_url: str, *, name: str, size: int) -> AsyncConnectionPool[AsyncConnection[Any]]:
    """Return a closed pool of autocommit connections; the caller opens and closes it."""
    return AsyncConnectionPool(
        bounded(database_url, name),
        min_size=1,
        max_size=size,
        timeout=POOL_TIMEOUT_S,
        max_idle=MAX_IDLE_S,
        reconnect_timeout=60.0,
        kwargs={"autocommit": True},
        configure=configure,
        open=False,
        name=name,
    )


def bounded(database_url: str, name: str) -> str:
    """Add to a URL what notices a dead peer: timeouts and keepalives."""
    return make_conninfo(
        database_url,
        application_name=f"crossfade-{name}",
        connect_timeout=CONNECT_TIMEOUT_S,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=10_000,  # what was sent and not even acknowledged for so long went to nobody
    )


async def configure(connection: AsyncConnection[Any]) -> None:
    """Bound every wait, and plan each statement once: all are short, and to plan a page took longer than to read it."""
    await connection.execute(
        "select set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false),"
        " set_config('idle_in_transaction_session_timeout', %s, false),"
        " set_config('plan_cache_mode', 'force_generic_plan', false), set_config('jit', 'off', false)",
        (str(STATEMENT_TIMEOUT_MS), str(LOCK_TIMEOUT_MS), str(IDLE_TRANSACTION_TIMEOUT_MS)),
    )
