"""Ports for the embedded stacks. Free ones are found, taken ones are named together with who holds them."""

import contextlib
import errno
import socket
from collections.abc import Iterator, Mapping

import psutil

from ops.errors import OpsError
from realtime_bridge.network.bind_addresses import listen, reason

HOST = "127.0.0.1"
Listener = socket.socket


def choose_ports(wanted: Mapping[str, int]) -> dict[str, int]:
    """Return a port for each name, which was free just now; as for `held_ports`."""
    with held_ports(wanted) as held:
        return {name: port_of(listener) for name, listener in held.items()}


def port_of(listener: Listener) -> int:
    return int(listener.getsockname()[1])


@contextlib.contextmanager
def held_ports(wanted: Mapping[str, int], hosts: Mapping[str, str] | None = None) -> Iterator[dict[str, Listener]]:
    """Give a listening socket for each name: on the wanted port, or on any free one for 0.

    Raises OpsError for the first port that cannot be had. `gateway` is said as `--gateway-port`, an empty name as
    `--port`. As long as they are held nobody else gets one, also before the process it is for has started.
    """
    fixed = [port for port in wanted.values() if port]
    for port in fixed:
        if fixed.count(port) > 1:
            names = " and ".join(_option(name) for name, other in wanted.items() if other == port)
            raise OpsError(f"{names} are both {port}: give each its own (0 takes any free one).")
    with contextlib.ExitStack() as held:
        listeners = {}
        for name, port in sorted(wanted.items(), key=lambda item: item[1] == 0):  # the fixed ones first
            host = (hosts or {}).get(name, HOST)
            try:
                listeners[name] = held.enter_context(listen(host, port))
            except OSError as error:
                raise OpsError(_sentence(name, host, port, error)) from error
        yield listeners


def _sentence(name: str, host: str, port: int, error: OSError) -> str:
    if error.errno != errno.EADDRINUSE:
        variable = f"CROSSFADE_{name.rpartition('-')[2].upper()}_HOST"
        return f"Port {port} of {host} cannot be listened on ({reason(error)}): set {variable} to another address."
    holder = find_holder(port)
    by = f" by {holder}" if holder else ""
    return f"Port {port} is taken{by}: stop that, or choose another with {_option(name)} (0 takes any free one)."


def _option(name: str) -> str:
    return f"--{name}-port" if name else "--port"


def find_holder(port: int) -> str | None:
    """Say which process listens on `port`, if this user may know."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and getattr(connection.laddr, "port", None) == port
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return None
