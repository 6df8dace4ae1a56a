"""A real Redis from the wheel that a test may kill and start again; nothing is kept on disk."""

import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from ops.machine.redis import binary

START_TIMEOUT_S = 10.0


class RedisServer:
    def __init__(self, directory: Path) -> None:
        self._socket = directory / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def client(self) -> Redis:
        return Redis(unix_socket_path=str(self._socket), socket_timeout=5)

    def start(self) -> None:
        command = [str(binary()), "--port", "0", "--unixsocket", str(self._socket), "--save", "", "--logfile", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=self._socket.parent)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                with self.client() as client:
                    client.ping()
            except (RedisError, OSError):
                assert time.monotonic() < deadline, "Redis did not start"
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
