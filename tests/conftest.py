"""A real Postgres per run, a migrated template once, a clone of it for each test that asks."""

import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from migrations.upgrade import upgrade
from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from tests.servers.redis_server import RedisServer
from tests.written import Written, write_everything

pytest_plugins = ["tests.guard", "tests.hanging"]
TEMPLATE = "crossfade_template"
DROP_ATTEMPTS = 300  # each a tenth of a second
_clones = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    # Not below pytest's own directory, which a second run of pytest closes to the server's system user.
    with tempfile.TemporaryDirectory(prefix="crossfade-tests-") as directory:
        server = EmbeddedPostgres(Path(directory) / "data", durable=False, dies_with_us=True)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def template_database(postgres_server: EmbeddedPostgres) -> str:
    """Name of a database in the Supabase shape with every migration applied; copied, never used."""
    _admin(postgres_server, sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
    apply_shape(postgres_server.admin_url(TEMPLATE))
    upgrade(postgres_server.url(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """URL of a fresh, migrated database as the ordinary role `postgres`."""
    name = f"crossfade_{next(_clones)}"
    statement = sql.SQL("create database {} template {} owner postgres strategy file_copy")
    _admin(postgres_server, statement.format(sql.Identifier(name), sql.Identifier(template_database)))
    yield postgres_server.url(name)
    drop_database(postgres_server, name)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real Redis on a unix socket, empty at the start of the run and gone at its end."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(scope="session")
def written(
    postgres_server: EmbeddedPostgres, template_database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Written]:
    """Every kind of event in a database of its own, for readers to begin with: read it, write nothing there."""
    statement = sql.SQL("create database crossfade_written template {} owner postgres strategy file_copy")
    _admin(postgres_server, statement.format(sql.Identifier(template_database)))
    url = postgres_server.url("crossfade_written")
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        written = write_everything(connection, url, f"{redis_url}?db=8", tmp_path_factory.mktemp("written"))
    yield written
    drop_database(postgres_server, "crossfade_written")


@pytest.fixture
def admin_url(postgres_server: EmbeddedPostgres, database_url: str) -> str:
    """The same database as `database_url`, as the superuser."""
    return postgres_server.admin_url(urlsplit(database_url).path.removeprefix("/"))


@pytest.fixture
def conn(database_url: str) -> Iterator[psycopg.Connection[DictRow]]:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def drop_database(server: EmbeddedPostgres, name: str) -> None:
    """Drop a database; a replication slot of an endpoint that was cut short may need a moment to go."""
    for attempt in range(DROP_ATTEMPTS):
        try:
            _admin(server, sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        except psycopg.errors.ObjectInUse:
            if attempt == DROP_ATTEMPTS - 1:
                raise
            time.sleep(0.1)
        else:
            return


def _admin(server: EmbeddedPostgres, statement: sql.Composed) -> None:
    with psycopg.connect(server.admin_url(), autocommit=True) as connection:
        connection.execute(statement)


def one(connection: psycopg.Connection[DictRow], query: str, **values: Any) -> DictRow:
    """Return the single row of a test's own query."""
    row = connection.execute(query, values).fetchone()
    assert row is not None, query
    return dict(row)
