"""The Postgres from the wheel, killed in the ways machines kill."""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ops.machine.postgres import EmbeddedPostgres

ENDLESS = "select count(*) from generate_series(1, 1000000000)"


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A durable server of this test's own, outside pytest's directories, which are root's alone."""
    with tempfile.TemporaryDirectory(prefix="crossfade-tests-") as directory:
        server = EmbeddedPostgres(Path(directory) / "data")
        server.start()
        yield server
        server.stop()


def compute(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    with pytest.raises(psycopg.OperationalError):
        connection.execute(ENDLESS)


def test_it_starts_again_while_old_backends_still_compute(server: EmbeddedPostgres) -> None:
    """A backend that is busy does not see that its server was killed; the next start ends it, and keeps the data."""
    with psycopg.connect(server.admin_url(), autocommit=True) as connection:
        connection.execute("create table kept as select 1 as one")
        worker = threading.Thread(target=compute, args=(connection,))
        worker.start()
        with psycopg.connect(server.admin_url(), autocommit=True) as watcher:
            while not watcher.execute("select 1 from pg_stat_activity where query = %s", (ENDLESS,)).fetchone():
                pass
        os.kill(server.pid, signal.SIGKILL)
        server.start()
        worker.join(10)
        assert not worker.is_alive()
    with psycopg.connect(server.admin_url()) as connection:
        assert connection.execute("select one from kept").fetchone() == (1,)


def test_what_root_has_to_open_is_said() -> None:
    """Postgres's own user must pass through every directory above its data: root hears of each one that was closed."""
    said: list[str] = []
    with tempfile.TemporaryDirectory(prefix="crossfade-tests-") as directory:
        closed = Path(directory).resolve()
        server = EmbeddedPostgres(closed / "data", durable=False, say=said.append)
        server.start()
        server.stop()
        if os.geteuid() == 0:
            assert f"Let crossfade-pg pass through {closed} (chmod o+x; nobody can list it by that)." in said
            assert closed.stat().st_mode & 0o007 == 0o001
        else:
            assert said == []
            assert closed.stat().st_mode & 0o007 == 0
