"""A port that somebody holds ends the gateway and the bridge with one sentence that names the variable."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ops.machine.ports import choose_ports
from tests.servers.gateway_server import ROOT

GATEWAY = ("gunicorn", "-c", "gateway/gunicorn.conf.py", "gateway.wsgi:application")
BRIDGE = ("realtime_bridge",)
CASES = {
    "CROSSFADE_GATEWAY_PORT": GATEWAY,
    "CROSSFADE_METRICS_PORT": GATEWAY,
    "CROSSFADE_BRIDGE_PORT": BRIDGE,
    "CROSSFADE_BRIDGE_METRICS_PORT": BRIDGE,
}


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield int(holder.getsockname()[1])


@pytest.mark.parametrize("variable", CASES)
def test_a_taken_port_is_one_sentence(variable: str, taken: int, database_url: str, redis_url: str) -> None:
    """On stderr, with exit code 1, and nothing was started before."""
    free = choose_ports(dict.fromkeys(CASES, 0))
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SUPABASE_JWT_SECRET": "x" * 32,
        "CROSSFADE_CANARY": "off",
        **{name: str(port) for name, port in free.items()},
        variable: str(taken),
    }
    command = [sys.executable, "-m", *CASES[variable]]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1, ended
    told = [line for line in (ended.stdout + ended.stderr).splitlines() if "Starting gunicorn" not in line]
    sentence = f"stop what holds it, or set {variable} to another."
    assert told == [f"Port {taken} of 127.0.0.1 cannot be listened on (Address already in use): {sentence}"]
