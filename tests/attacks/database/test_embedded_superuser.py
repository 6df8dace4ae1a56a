"""Attack: whoever reaches the port of the embedded Postgres logs in as its superuser, who may run programs."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from ops.machine.postgres_access import SUPERUSER

OF_EARLIER_RELEASES = "local all all trust\nhost all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n"
PASSWORDS = ["", "postgres", "supabase_admin"]


@pytest.fixture(scope="module")
def old_server() -> Iterator[EmbeddedPostgres]:
    """A data directory as an earlier release left it, started by this one."""
    with tempfile.TemporaryDirectory(prefix="crossfade-tests-") as directory:
        server = EmbeddedPostgres(Path(directory) / "data", durable=False)
        server.start()
        apply_shape(server.admin_url())
        server.stop()
        (server.data_dir / "pg_hba.conf").write_text(OF_EARLIER_RELEASES)
        server.start()
        yield server
        server.stop()


def log_in(server: EmbeddedPostgres, user: str, password: str) -> str:
    """Return who one is then, over TCP as an attacker on this machine would come."""
    with psycopg.connect(
        host="127.0.0.1", port=server.port, user=user, password=password, dbname="postgres", connect_timeout=5
    ) as connection:
        row = connection.execute("select current_user").fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("user", [SUPERUSER, "postgres", "supabase_replication_admin"])
def test_the_port_asks_for_a_password(old_server: EmbeddedPostgres, user: str, password: str) -> None:
    """Nobody is let in without the right one, and the superuser has none: it comes by the socket only."""
    if (user, password) == ("postgres", "postgres"):
        assert log_in(old_server, user, password) == "postgres"
    else:
        with pytest.raises(psycopg.OperationalError):
            log_in(old_server, user, password)


def test_the_url_that_everybody_has_is_no_superuser(old_server: EmbeddedPostgres) -> None:
    """It works as before, and can neither run a program nor make itself one who can."""
    with psycopg.connect(old_server.url(), autocommit=True) as connection:
        for statement in (
            "copy (select 1) to program 'true'",
            "alter role postgres superuser",
            "set role supabase_admin",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_the_superuser_comes_by_the_socket(old_server: EmbeddedPostgres) -> None:
    """From the system user that started the server, without a password; the socket lies where only it may go."""
    with psycopg.connect(old_server.admin_url()) as connection:
        assert connection.execute("select usesuper from pg_user where usename = current_user").fetchone() == (True,)
        assert connection.info.host.startswith("/")
        assert Path(connection.info.host).stat().st_mode & 0o077 == 0


def test_a_long_path_has_its_socket_elsewhere() -> None:
    """A path that is too long for a socket is no reason to be without one, nor to open it to others."""
    with tempfile.TemporaryDirectory(prefix="crossfade-tests-") as directory:
        server = EmbeddedPostgres(Path(directory) / ("long" * 20) / "data", durable=False)
        server.start()
        try:
            with psycopg.connect(server.admin_url()) as connection:
                place = Path(connection.info.host)
            assert not place.is_relative_to(server.data_dir)
            assert place.stat().st_mode & 0o077 == 0
        finally:
            server.stop()
        place.rmdir()
