"""The real gateway under gunicorn, for tests about workers, crashes and the wire."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.machine.ports import choose_ports

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
LISTENING = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, slots=True)
class GatewayServer:
    port: int
    metrics_port: int
    process: subprocess.Popen[bytes]
    log: Path

    def request(
        self, method: str, path: str, key: str | None = None, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any], http.client.HTTPMessage]:
        """Send one request on a connection of its own; return status, decoded body and headers."""
        sent = {"X-API-Key": key} if key else {}
        raw = None if body is None else json.dumps(body)
        if raw is not None:
            sent["Content-Type"] = "application/json"
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)) as connection:
            connection.request(method, path, raw, sent | (headers or {}))
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else {}, answer.headers

    def metric(self, name: str) -> float | None:
        """One figure without labels, of all workers, a second old at most; None while nobody counted it."""
        found = re.search(rf"^{name} (\S+)$", self.metrics(), re.MULTILINE)
        return float(found[1]) if found else None

    def metrics(self) -> str:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=15)) as connection:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()

    def lines(self) -> list[dict[str, Any]]:
        """Every line of the log so far; a line that is not JSON fails the test."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def wait_for(self, path: str, status: int, timeout_s: float = START_TIMEOUT_S) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.request("GET", path)[0] == status:
                    return
            assert time.monotonic() < deadline, f"{path} did not answer {status}: {self.log.read_text()[-2000:]}"
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            time.sleep(0.02)


@contextlib.contextmanager
def serve(directory: Path, database_url: str, redis_url: str, **variables: str) -> Iterator[GatewayServer]:
    """Run gunicorn with the project's configuration on a free port until the block ends."""
    log = directory / "gateway.log"
    metrics_port = choose_ports({"metrics": 0})["metrics"]
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "CROSSFADE_GATEWAY_PORT": "0",
        "CROSSFADE_METRICS_PORT": str(metrics_port),
        **variables,
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "gateway/gunicorn.conf.py", "gateway.wsgi:application"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        server = GatewayServer(_port(process, log), metrics_port, process, log)
        server.wait_for("/livez", 200)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)
            raise


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (found := LISTENING.search(log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    return int(found[1])
