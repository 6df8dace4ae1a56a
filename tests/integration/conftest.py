"""Where many tests of a relay begin."""

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.factories import make_conversation, make_user


@pytest.fixture
def conversation(conn: psycopg.Connection[DictRow]) -> int:
    """A conversation of an account with one more member."""
    return make_conversation(conn, make_user(conn), make_user(conn))
