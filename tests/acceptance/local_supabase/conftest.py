"""One local Supabase for all of these tests, with a project in it that the official clients can be driven against."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ops.local_supabase.launcher import LocalSupabase
from tests.acceptance.local_supabase.guest import PROJECT_SQL, Guest


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that stays open to the server's system user; pytest's own is closed by every other run of pytest."""
    with tempfile.TemporaryDirectory(prefix="local-supabase-tests-") as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def local_supabase() -> Iterator[LocalSupabase]:
    with tempfile.TemporaryDirectory(prefix="local-supabase-tests-") as directory:
        running = LocalSupabase(Path(directory) / "data", durable=False, quick_refusals=True)
        with running:
            _prepare(running)
            yield running


@pytest.fixture
def guest(local_supabase: LocalSupabase) -> Guest:
    """A user of the project with a private topic of its own."""
    return Guest(local_supabase)


def _prepare(running: LocalSupabase) -> None:
    with psycopg.connect(running.facts.db_url, autocommit=True) as connection:
        connection.execute(PROJECT_SQL)
