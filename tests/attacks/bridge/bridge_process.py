"""A real bridge beside a real endpoint, as processes over a test's database, for what a fixture cannot do to itself."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from ops.local_supabase.settings import CLI_JWT_SECRET
from ops.machine.ports import choose_ports
from realtime_bridge.shared.tokens import mint_role_key
from tests.waiting import wait_for

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0


@contextlib.contextmanager
def endpoint(admin_url: str, directory: Path) -> Iterator[str]:
    """Yield the URL of a local Supabase endpoint on that database."""
    ready = directory / "endpoint.json"
    words = ("ops.local_supabase", "--port=0", f"--database-url={admin_url}", f"--ready-file={ready}")
    with _process(*words, log=directory / "endpoint.log", environment={"SUPABASE_JWT_SECRET": CLI_JWT_SECRET}):
        wait_for(ready.exists, "the endpoint", START_TIMEOUT_S)
        yield json.loads(ready.read_text())["url"]


@contextlib.contextmanager
def bridge(
    database_url: str, supabase_url: str, directory: Path, *, descriptors: int | None = None, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a bridge process that follows the dial and is ready; it gets no more than so many `descriptors`."""
    port = choose_ports({"bridge": 0})["bridge"]
    variables = {
        "DATABASE_URL": database_url,
        "SUPABASE_URL": supabase_url,
        "SUPABASE_SECRET_KEY": mint_role_key(CLI_JWT_SECRET, "service_role", 3_600),
        "SUPABASE_JWT_SECRET": CLI_JWT_SECRET,
        "CHAT_REALTIME_PROVIDER": "rollout",
        "CROSSFADE_BRIDGE_PORT": str(port),
        **environment,
    }
    log = directory / f"bridge-{port}.log"
    with _process("realtime_bridge", log=log, environment=variables, descriptors=descriptors) as process:
        wait_for(lambda: _answers(f"http://127.0.0.1:{port}/readyz"), "the bridge", START_TIMEOUT_S)
        yield process


def stall(process: subprocess.Popen[bytes], *, seconds: float) -> None:
    """Stop a process for so long, as a swapping machine or a paused container does."""
    process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def _process(
    *words: str, log: Path, environment: dict[str, str], descriptors: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    limited = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"] if descriptors else []
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*limited, sys.executable, "-m", *words], stdout=output, stderr=output, env={**os.environ, **environment}
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
