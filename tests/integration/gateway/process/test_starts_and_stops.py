"""How a gateway begins and ends: killed, told to stop, or with a bad variable."""

import contextlib
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from gateway.domain import key_text
from gateway.process import metrics_files
from tests.conftest import one
from tests.factories import make_conversation, make_key, make_user
from tests.integration.gateway.process.conftest import LIST, until
from tests.servers.gateway_server import ROOT, serve


def test_a_killed_worker_is_replaced(tmp_path: Path, database_url: str, limits_url: str) -> None:
    """The others answer on, and the new one takes part."""
    with serve(tmp_path, database_url, limits_url) as server:

        def booted() -> list[int]:
            lines = [line["event"] for line in server.lines()]
            return [int(event.rpartition(" ")[2]) for event in lines if event.startswith("Booting worker")]

        until(lambda: len(booted()) == 2)
        os.kill(booted()[0], signal.SIGKILL)
        until(lambda: len(booted()) == 3)
        server.wait_for("/readyz", 200)


def test_a_killed_run_leaves_no_figures_behind(
    tmp_path: Path, database_url: str, limits_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start removes its directory, when all of its processes are gone, and nobody else's."""
    files = tmp_path / "files"
    (files / f"{metrics_files.PREFIX}of-somebody-who-starts").mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(files))

    def directories() -> set[Path]:
        return set(files.glob(f"{metrics_files.PREFIX}*"))

    others = directories()
    with serve(tmp_path, database_url, limits_url) as server:
        (killed,) = directories() - others
        server.process.kill()
    until(lambda: not _is_locked(killed))
    os.utime(killed, (0, 0))
    with serve(tmp_path, database_url, limits_url):
        (living,) = directories() - others
        os.utime(living, (0, 0))
        metrics_files.remove_left_behind(files)
        assert directories() == others | {living}
    assert directories() == others


def _is_locked(directory: Path) -> bool:
    opened = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)
    return False


def test_a_bad_variable_ends_gunicorn_with_one_sentence(tmp_path: Path) -> None:
    """Naming the variable, before any worker starts, and never the value of a URL."""
    environment = os.environ | {"DATABASE_URL": "mysql://u:hunter2@h/d", "REDIS_URL": "redis://h"}
    command = [sys.executable, "-m", "gunicorn", "-c", "gateway/gunicorn.conf.py", "gateway.wsgi:application"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=30, check=False)
    assert result.returncode == 1
    assert result.stderr.decode().strip().splitlines() == [
        "DATABASE_URL must be a URL that starts with postgresql: or postgres:."
    ]
    assert not list(tmp_path.iterdir())


def test_a_stop_lets_open_requests_finish(
    tmp_path: Path, database_url: str, limits_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """SIGTERM while a write waits for its row lock: the write is answered 201, then the server ends with 0."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)
    key = make_key(conn, account)
    path = f"{LIST}/{conversation}/messages"
    waiting = "select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and query like '%%last_seq%%'"
    with serve(tmp_path, database_url, limits_url) as server, ThreadPoolExecutor(1) as pool:
        with conn.transaction():
            conn.execute("select from conversations where id = %s for update", (conversation,))
            sending = pool.submit(server.request, "POST", path, key, {"content": "in flight"})
            with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as watcher:
                until(lambda: one(watcher, waiting)["n"] == 1)
            server.process.send_signal(signal.SIGTERM)
            until(lambda: any(line["event"] == "Handling signal: term" for line in server.lines()))
        assert sending.result(10)[0] == 201
        assert server.process.wait(15) == 0
    assert one(conn, "select count(*) as n from chat_messages")["n"] == 1


def test_a_stop_does_not_wait_for_idle_connections(tmp_path: Path, database_url: str, limits_url: str) -> None:
    """One that has said nothing, and one that is kept alive: neither holds a worker until it must be cut."""
    with serve(tmp_path, database_url, limits_url, GUNICORN_CMD_ARGS="--graceful-timeout 120") as server:
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        with contextlib.closing(kept), socket.create_connection(("127.0.0.1", server.port)):
            kept.request("GET", "/livez")
            kept.getresponse().read()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0


def test_a_probe_has_a_thread_of_its_own(
    tmp_path: Path, database_url: str, limits_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Whatever holds all others: here there is one, and a key is looked for that nobody can find."""
    one_thread = {"CROSSFADE_GATEWAY_WORKERS": "1", "GUNICORN_CMD_ARGS": "--threads 1"}
    with serve(tmp_path, database_url, limits_url, **one_thread) as server, ThreadPoolExecutor(1) as pool:
        with conn.transaction():
            conn.execute("lock table chat_api_keys in access exclusive mode")
            asking = pool.submit(server.request, "GET", LIST, key_text.mint("test").text)
            answered = 0
            while not asking.done():
                assert server.request("GET", "/livez")[0] == 200
                answered += 1
        assert asking.result()[0] == 503
    assert answered > 3
