"""Fixtures of pytest for other people's projects. A local Supabase per run, started when a test first asks for it.

pytest -p ops.local_supabase.pytest_plugin          (or `pytest_plugins = [...]` in conftest.py)

def test_broadcast(supabase_url, supabase_anon_key): ...
"""

import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import jwt
import psycopg
import pytest

from ops.local_supabase.launcher import Facts, LocalSupabase

TOKEN_TTL_S = 3600


@pytest.fixture(scope="session")
def supabase_local() -> Iterator[Facts]:
    """URLs and keys of a running local Supabase, started once per run and stopped at its end."""
    # Not below pytest's own directory, which every run of pytest closes to the user that Postgres runs as under root.
    with tempfile.TemporaryDirectory(prefix="local-supabase-") as directory:
        running = LocalSupabase(Path(directory) / "data", durable=False, quick_refusals=True)
        with running:
            yield running.facts


@pytest.fixture(scope="session")
def supabase_url(supabase_local: Facts) -> str:
    """What `create_client` takes as its URL."""
    return supabase_local.api_url


@pytest.fixture(scope="session")
def supabase_anon_key(supabase_local: Facts) -> str:
    """Key of the role `anon`."""
    return supabase_local.anon_key


@pytest.fixture(scope="session")
def supabase_service_role_key(supabase_local: Facts) -> str:
    """Key of the role `service_role`, which policies do not bind."""
    return supabase_local.service_role_key


@pytest.fixture
def supabase_db(supabase_local: Facts) -> Iterator[psycopg.Connection]:
    """A connection as the role `postgres`, in autocommit."""
    with psycopg.connect(supabase_local.db_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def supabase_token(supabase_local: Facts) -> Callable[[str | uuid.UUID], str]:
    """Makes a signed-in user's token for a user id."""

    def mint(user_id: str | uuid.UUID) -> str:
        now = int(time.time())
        claims = {"sub": str(user_id), "role": "authenticated", "aud": "authenticated"}
        return jwt.encode({**claims, "iat": now, "exp": now + TOKEN_TTL_S}, supabase_local.jwt_secret, "HS256")

    return mint
