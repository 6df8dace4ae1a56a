"""A real `crossfade up` for tests: started with free ports in a directory of its own, always stopped."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import psutil

from ops.machine.postgres_access import superuser_url

CROSSFADE = Path(sys.executable).with_name("crossfade")
READY_TIMEOUT_S = 60.0  # a second on an idle machine; initdb on a busy one takes a while
STOP_TIMEOUT_S = 60.0
ANY_PORTS = ("--gateway-port=0", "--bridge-port=0", "--supabase-port=0", "--postgres-port=0")


@dataclass(slots=True)
class Stack:
    """A running `up`. Its output goes to `DIR.out` and `DIR.err`, beside the data directory."""

    data_dir: Path
    process: subprocess.Popen[bytes]
    seen_pids: set[int] = field(default_factory=set)

    @classmethod
    def start(
        cls,
        data_dir: Path,
        *options: str,
        environment: dict[str, str] | None = None,
        program: Sequence[str] = (str(CROSSFADE),),
    ) -> Self:
        """Start `up` and wait for its banner."""
        command = [*program, "up", "--data-dir", str(data_dir), *ANY_PORTS, *options]
        with data_dir.with_suffix(".out").open("wb") as out, data_dir.with_suffix(".err").open("wb") as err:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        stack = cls(data_dir, process)
        try:
            stack.wait_until(lambda: "stops everything" in stack.output or process.poll() is not None, READY_TIMEOUT_S)
            assert process.poll() is None, stack.errors
            stack.seen_pids.update(stack.pids.values())
        except BaseException:
            stack.stop()
            raise
        return stack

    @property
    def output(self) -> str:
        return self.data_dir.with_suffix(".out").read_text()

    @property
    def errors(self) -> str:
        return self.data_dir.with_suffix(".err").read_text()

    @property
    def database_admin_url(self) -> str:
        """As the superuser, by the socket; nobody is one over TCP."""
        url = urlsplit(self.ready["databaseUrl"])
        assert url.port is not None
        return superuser_url(self.data_dir.resolve() / "postgres", url.port, url.path.removeprefix("/"))

    @property
    def ready(self) -> dict[str, Any]:
        """The content of ready.json, read anew: pids change when something is restarted."""
        facts: dict[str, Any] = json.loads((self.data_dir / "ready.json").read_text())
        return facts

    @property
    def pids(self) -> dict[str, int]:
        pids: dict[str, int] = self.ready["pids"]
        return pids

    def wait_for_new_pid(self, name: str, old: int, timeout_s: float = 30.0) -> int:
        """Return the pid of the restarted process; raises AssertionError when none comes."""
        self.wait_until(lambda: self.pids[name] != old, timeout_s)
        self.seen_pids.add(self.pids[name])
        return self.pids[name]

    def log(self, name: str) -> str:
        """Return what a process has logged so far, one JSON object per line."""
        return (self.data_dir / "logs" / f"{name}.log").read_text()

    def create_key(
        self, *, per_minute: int = 100_000, account: str | None = None, scopes: str = "chat:read,chat:write"
    ) -> str:
        """Make an API key of the demo account, or of another, whose limits are out of the way of a load."""
        key = self.crossfade(
            "keys",
            "create",
            f"--account={account or self.ready['users'][0]['id']}",
            "--name=test",
            f"--scopes={scopes}",
            f"--rate-limit={per_minute}",
            f"--send-rate-limit={per_minute}",
            "--json",
        )
        return str(json.loads(key.stdout)["key"])

    def crossfade(
        self, *arguments: str, check: bool = True, timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run another `crossfade` command against this stack's database."""
        return subprocess.run(
            [str(CROSSFADE), *arguments],
            env={**os.environ, "DATABASE_URL": self.ready["databaseUrl"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=check,
        )

    def wait_until(self, condition: Callable[[], object], timeout_s: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout_s} s; up says: {self.errors}"
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop as a person would and return the exit code."""
        with contextlib.suppress(OSError, ValueError):
            self.seen_pids.update(self.pids.values())
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def survivors(self) -> list[int]:
        """Return those of the seen processes that still run."""
        return [pid for pid in self.seen_pids if is_running(pid)]


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def open_place() -> Iterator[Path]:
    """Yield a directory that Postgres's own user can reach: every start of a pytest closes all of pytest's to it."""
    with tempfile.TemporaryDirectory(prefix="crossfade-tests-") as directory:
        yield Path(directory)


@contextlib.contextmanager
def running(
    data_dir: Path,
    *options: str,
    environment: dict[str, str] | None = None,
    program: Sequence[str] = (str(CROSSFADE),),
) -> Iterator[Stack]:
    """Keep a stack up for the block and check that nothing of it is left."""
    stack = Stack.start(data_dir, *options, environment=environment, program=program)
    try:
        yield stack
    finally:
        stack.stop()
        assert stack.survivors() == []
