"""An account, and `crossfade webhooks` as it is typed."""

import socket
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import DictRow

from ops.cli.main import main
from tests.factories import make_user

Conn = psycopg.Connection[DictRow]


def crossfade(database_url: str, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["webhooks", *arguments], env={"DATABASE_URL": database_url, "COLUMNS": "300"})
    return result.exit_code, result.output


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def account(conn: Conn) -> UUID:
    return make_user(conn)
