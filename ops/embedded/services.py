"""Services of the embedded stack: how each is started and probed."""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from gateway.process.flag_check import check_flag_provider
from gateway.settings import Settings as GatewaySettings
from ops.embedded.credentials import Credentials
from ops.machine import redis
from ops.machine.child import ProcessSpec
from ops.machine.ports import HOST, Listener, port_of
from ops.machine.postgres import EmbeddedPostgres
from ops.machine.private_files import make_private
from realtime_bridge.settings import Settings as BridgeSettings
from realtime_bridge.shared import variables
from realtime_bridge.shared.environment import Environment, reading

ROOT = Path(__file__).resolve().parents[2]
PROBE_TIMEOUT_S = 2.0
DEFAULTS = {  # what the caller's own environment may override
    "CHAT_REALTIME_PROVIDER": "dual",
    "CROSSFADE_ENV": "dev",
    "CROSSFADE_LOG_LEVEL": "INFO",
    "CROSSFADE_LOG_FORMAT": "json",
    "CROSSFADE_WEBHOOK_PLAIN_HTTP": "yes",  # a newcomer's receiver listens on this machine
    "CROSSFADE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8 ::1/128",
    "CROSSFADE_IDLE_PROBE_S": "1",  # nobody pays for messages here, and figures show at once
    "CROSSFADE_STORAGE": "directory",
    "MALLOC_ARENA_MAX": "2",  # glibc's own default, eight a processor, keeps the memory of every burst for itself
}
# Of a real project; they would win over ours.
FOREIGN = ("SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY", "SUPABASE_JWT_SIGNING_KEY", "SUPABASE_JWKS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where everything is; `listeners` hold the ports, and are handed over at every start of whom they are for."""

    listeners: Mapping[str, Listener] = field(repr=False)
    database_url: str
    database_admin_url: str
    redis_url: str

    def port(self, name: str) -> int:
        return port_of(self.listeners[name])

    def handing_over(self, *names: str) -> dict[str, Any]:
        """Return arguments for `Popen` of a process of ours that gets these listeners."""
        return {"cwd": ROOT, "pass_fds": tuple(self.listeners[name].fileno() for name in names)}

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self.port(name)}"


def check(environment: Mapping[str, str]) -> None:
    """Raise ConfigurationError with all that gateway and bridge would complain of, before one of them is started."""
    with reading(environment) as env:
        gateway = GatewaySettings.read(env)
        BridgeSettings(env)
    check_flag_provider(gateway)


def hosts() -> dict[str, str]:
    """Return by name of a port where its process listens, if not on the loopback."""
    env = Environment(os.environ)
    metrics = variables.metrics_host(env)
    return {
        "gateway": env.text("CROSSFADE_GATEWAY_HOST", default=HOST),
        "bridge": env.text("CROSSFADE_BRIDGE_HOST", default=HOST),
        "metrics": metrics,
        "bridge-metrics": metrics,
    }


def postgres_spec(server: EmbeddedPostgres, port: Listener) -> ProcessSpec:
    """`port` is held until the server takes it: it cannot be handed a socket."""

    def prepare() -> None:
        server.prepare()
        port.close()

    return ProcessSpec(
        name="postgres",
        command=tuple(server.command()),
        environment=_base(),
        prepare=prepare,
        is_ready=server.answers,
        popen=server.popen_arguments(),
        stop_signal=signal.SIGINT,  # fast shutdown: sessions are ended, nothing is lost
        stop_timeout_s=20.0,  # it writes a checkpoint first
    )


def redis_spec(directory: Path, socket: Path) -> ProcessSpec:
    def prepare() -> None:
        make_private(directory)
        socket.unlink(missing_ok=True)  # after `kill -9` the old one is still there

    return ProcessSpec(
        name="redis",
        command=redis.command(directory, socket),
        environment=_base(),
        prepare=prepare,
        is_ready=lambda: redis.answers(socket),
    )


def supabase_spec(addresses: Addresses, environment: Mapping[str, str], options: tuple[str, ...]) -> ProcessSpec:
    listening = (f"--fd={addresses.listeners['supabase'].fileno()}", "--database-url", addresses.database_admin_url)
    return _served("supabase", ("ops.local_supabase", *listening, *options), addresses, environment, probe="/")


def gateway_spec(addresses: Addresses, environment: Mapping[str, str]) -> ProcessSpec:
    command = ("gunicorn", "-c", str(ROOT / "gateway" / "gunicorn.conf.py"), "gateway.wsgi:application")
    return _served("gateway", command, addresses, environment, "metrics")


def bridge_spec(addresses: Addresses, environment: Mapping[str, str]) -> ProcessSpec:
    return _served("bridge", ("realtime_bridge",), addresses, environment, "bridge-metrics")


def environment(addresses: Addresses, credentials: Credentials, *, files_dir: Path) -> dict[str, str]:
    """Variables for gateway, bridge and endpoint: the caller's, then ours over them. An empty one counts as unset."""
    listeners = addresses.listeners.values()
    return {
        **DEFAULTS,
        "CROSSFADE_STORAGE_DIR": str(files_dir),
        **{name: value for name, value in _base().items() if name not in FOREIGN and value.strip()},
        "DATABASE_URL": addresses.database_url,
        "REDIS_URL": addresses.redis_url,
        "SUPABASE_URL": addresses.url("supabase"),
        "SUPABASE_ANON_KEY": credentials.anon_key,
        "SUPABASE_SERVICE_ROLE_KEY": credentials.service_role_key,
        "SUPABASE_JWT_SECRET": credentials.jwt_secret,
        "CROSSFADE_LEGACY_URL": addresses.url("bridge"),
        "CROSSFADE_GATEWAY_PORT": str(addresses.port("gateway")),
        "CROSSFADE_BRIDGE_PORT": str(addresses.port("bridge")),
        "CROSSFADE_METRICS_PORT": str(addresses.port("metrics")),
        "CROSSFADE_BRIDGE_METRICS_PORT": str(addresses.port("bridge-metrics")),
        "CROSSFADE_LISTEN_FDS": " ".join(f"{port_of(listener)}:{listener.fileno()}" for listener in listeners),
    }


def _served(
    name: str,
    command: tuple[str, ...],
    addresses: Addresses,
    environment: Mapping[str, str],
    *listeners: str,
    probe: str = "/readyz",
) -> ProcessSpec:
    """Return how a module of ours is run that gets the port of its name, and `listeners`."""
    return ProcessSpec(
        name=name,
        command=(sys.executable, "-m", *command),
        environment=environment,
        is_ready=lambda: _answers(f"{addresses.url(name)}{probe}"),
        popen=addresses.handing_over(name, *listeners),
    )


def _base() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def _answers(url: str) -> bool:
    """Whether something speaks HTTP there and is well: 503 means not yet, 404 is an answer."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy of the machine has no business on the loopback
        try:
            return session.get(url, timeout=PROBE_TIMEOUT_S).status_code < HTTPStatus.INTERNAL_SERVER_ERROR
        except requests.RequestException:
            return False
