"""A real bridge process that feeds the legacy sockets, on a port that outlives it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

import requests

from tests.integration.legacy.harness import SECRET
from tests.waiting import wait_for

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0


class BridgeProcess:
    """`python -m realtime_bridge`, of this tree or of another `checkout`; ends with its block."""

    def __init__(self, database_url: str, log: Path, checkout: Path | None = None, /, **environment: str) -> None:
        self._checkout = checkout
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._environment = {
            "DATABASE_URL": database_url,
            "SUPABASE_JWT_SECRET": SECRET,
            "CHAT_REALTIME_PROVIDER": "socketio",
            "CROSSFADE_BRIDGE_PORT": str(self.port),
            "CROSSFADE_CANARY": "off",
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self, state: str = "active") -> Self:
        """Start, and return when it delivers for the legacy side, or stands by."""
        command = [sys.executable, "-m", "realtime_bridge"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self._checkout,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        wait_for(lambda: self._is(state), f"the bridge to deliver:\n{self._log.read_text()[-2_000:]}", START_TIMEOUT_S)
        return self

    def send(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
            self._process.wait(STOP_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)

    def _is(self, state: str) -> bool:
        assert self._process
        assert self._process.poll() is None, self._log.read_text()
        try:
            facts = requests.get(f"{self.url}/readyz", timeout=2).json()
        except requests.RequestException:
            return False
        return bool(facts["sinks"].get("legacy") == state)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
