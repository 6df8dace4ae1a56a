"""A project database per test module that asks for one."""

from collections.abc import Iterator

import pytest

from ops.machine.postgres import EmbeddedPostgres
from tests.integration.local_supabase.serving import project_database


@pytest.fixture(scope="module")
def project_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """Superuser URL of a database with the recorded project in it."""
    with project_database(postgres_server) as url:
        yield url
