"""The processes of the two-phase run that are not Postgres: the bridge that is killed, and the receiver."""

import contextlib
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path


class Bridge:
    """The bridge process, killed and started again by `disturb`."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._lock = threading.Lock()
        self.kills = 0
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "realtime_bridge"], env=self._environment, stdout=output, stderr=output
            )

    def kill(self) -> None:
        with self._lock:
            self.process.kill()
            self.process.wait()
            self.kills += 1
            self.process = self._start()

    def answers(self) -> bool:
        url = f"http://127.0.0.1:{self._environment['CROSSFADE_BRIDGE_PORT']}/livez"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def stop(self) -> None:
        with self._lock:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def start_receiver(directory: Path) -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-m", "tests.servers.instant_receiver", str(directory)])
    try:
        deadline = time.monotonic() + 15
        while not (directory / "port").exists() or not (directory / "port").read_text():
            assert time.monotonic() < deadline, "the receiver did not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{(directory / 'port').read_text()}"
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
