"""Lock for one migration of a database at a time. Taken by `migrations.env` around everything it does.

The session that migrates holds the lock itself, so that it lasts as long as the work: a server goes on building the
index of a client that was killed, and the next run has to wait for that, too. Who waits asks again and again and holds
no snapshot in between, because an index that is built concurrently waits for every older snapshot.
"""

import time
from collections.abc import Callable

from sqlalchemy import Connection

KEY = 0x63726F737366646D  # "crossfdm"; advisory locks are a database's own, and this one is ours
POLL_S = 0.2
WAIT_S = 600.0  # a deployment's other copies wait this long for the first; an index of a large log takes minutes

_HOLDER = """
select a.pid, coalesce(nullif(a.application_name, ''), a.usename, '?'), coalesce(left(a.query, 80), '?')
from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 1
    and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
    and ((l.classid::bigint << 32) | l.objid::bigint) = %(key)s
"""


class MigrationBusyError(RuntimeError):
    """Another migration of this database goes on for longer than we were told to wait."""


def take(connection: Connection, wait_s: float, say: Callable[[str], None]) -> None:
    """Return once no other migration runs; `say` gets a sentence if that takes a while. Raises MigrationBusyError."""
    deadline = time.monotonic() + wait_s
    told = False
    while not _try(connection):
        if time.monotonic() >= deadline:
            raise MigrationBusyError(
                f"{_other(connection)} for more than {wait_s:g} s. Run this again when it has ended; --wait SECONDS"
                " waits longer. If nobody migrates, end that session with pg_terminate_backend."
            )
        if not told:
            say(f"{_other(connection)}; waiting for it, up to {wait_s:g} s.")
            told = True
        time.sleep(POLL_S)


def _try(connection: Connection) -> bool:
    taken = connection.exec_driver_sql("select pg_try_advisory_lock(%(key)s)", {"key": KEY}).scalar_one()
    connection.commit()
    return bool(taken)


def _other(connection: Connection) -> str:
    row = connection.exec_driver_sql(_HOLDER, {"key": KEY}).first()
    connection.commit()
    if row is None:  # it ended just now
        return "Another migration of this database is running"
    return f"Another migration of this database is running (pid {row[0]}, {row[1]}: {' '.join(row[2].split())})"
