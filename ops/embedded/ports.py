"""TCP ports for the embedded stacks: free ones are found, taken ones are named together with who holds them."""

import contextlib
import socket
from collections.abc import Mapping

import psutil

from ops.errors import OpsError

HOST = "127.0.0.1"


class PortError(OpsError):
    """A port is taken."""


def choose_ports(wanted: Mapping[str, int]) -> dict[str, int]:
    """Return a port for each name: the wanted one, or any free one for 0. Raises PortError for the first taken one.

    `gateway` is said as `--gateway-port`, an empty name as `--port`.
    All are held open until the last is chosen, so that no two names get the same.
    """
    fixed = [port for port in wanted.values() if port]
    for port in fixed:
        if fixed.count(port) > 1:
            names = " and ".join(_option(name) for name, other in wanted.items() if other == port)
            raise PortError(f"{names} are both {port}: give each its own (0 takes any free one).")
    with contextlib.ExitStack() as held:
        chosen = {}
        for name, port in sorted(wanted.items(), key=lambda item: item[1] == 0):  # the fixed ones first
            probe = held.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is not taken
            try:
                probe.bind((HOST, port))
                probe.listen()
            except (OSError, OverflowError) as error:
                raise PortError(_sentence(name, port)) from error
            chosen[name] = int(probe.getsockname()[1])
    return chosen


def _sentence(name: str, port: int) -> str:
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
