"""Shape of a Supabase project, given to an empty database.

Called by `up`, test fixtures and the endpoint's own command.

Never call it on a real Supabase project: there the platform owns these objects.
"""

import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors

from ops.local_supabase.database import partitions

LOCK_TIMEOUT = "10s"  # another shaping of the same database takes well under a second
ROLE_ATTEMPTS = 20  # roles are shared by all databases: two shapings may collide, each try gets further
_FILES = ("schemas.sql", "auth.sql", "realtime.sql", "changes.sql", "publications.sql")
_HERE = Path(__file__).parent
_LOCK_KEY = 7_310_021  # any constant, so that two shapings of one database queue up


def apply_shape(admin_url: str) -> None:
    """Create roles, schemas, functions, publications and partitions; run again, it changes nothing.

    `admin_url` must log in as a superuser. Raises psycopg.Error with the server's reason.
    """
    with psycopg.connect(admin_url, autocommit=True, connect_timeout=10) as connection:
        connection.execute("select set_config('lock_timeout', %s, false)", (LOCK_TIMEOUT,))
        connection.execute("select set_config('client_min_messages', 'error', false)")
        connection.execute("select pg_advisory_lock(%s)", (_LOCK_KEY,))
        _create_roles(connection)
        with connection.transaction():
            for name in _FILES:
                connection.execute(_script(name))
            partitions.create_missing(connection)


def _create_roles(connection: psycopg.Connection[Any]) -> None:
    for attempt in range(ROLE_ATTEMPTS):
        try:
            connection.execute(_script("roles.sql"))
        except (errors.UniqueViolation, errors.DuplicateObject, errors.InternalError_):
            # "tuple concurrently updated": another database of this cluster is being shaped right now
            if attempt == ROLE_ATTEMPTS - 1:
                raise
            time.sleep(0.05 * (attempt + 1))
        else:
            return


def _script(name: str) -> bytes:
    return (_HERE / name).read_bytes()
