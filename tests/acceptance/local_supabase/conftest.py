"""One local Supabase for all of these tests, with a project in it that the official clients can be driven against."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ops.local_supabase.launcher import LocalSupabase
from tests.acceptance.local_supabase.guest import PROJECT_SQL, Guest


@pytest.fixture(scope="session")
def local_supabase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSupabase]:
    directory = tmp_path_factory.mktemp("local-supabase")
    open_path(directory)
    with LocalSupabase(directory, durable=False) as running:
        with psycopg.connect(running.facts.db_url, autocommit=True) as connection:
            connection.execute(PROJECT_SQL)
        yield running


@pytest.fixture
def guest(local_supabase: LocalSupabase) -> Guest:
    """A user of the project with a private topic of its own."""
    return Guest(local_supabase)


def open_path(directory: Path) -> None:
    """Postgres runs as its own user and has to reach its directory."""
    for parent in (directory, *directory.parents):
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o001)
