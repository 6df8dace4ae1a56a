"""Addresses to listen on, looked at before a process starts anything. A taken one is a sentence, not a traceback.

Called by the bridge's `main`, by gunicorn's configuration of the gateway, and by `up`.
"""

import contextlib
import os
import socket
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass

from realtime_bridge.shared.environment import ConfigurationError

POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Address:
    """`variable` is the one that chooses the port."""

    host: str
    port: int
    variable: str


def check_addresses(addresses: Sequence[Address], inherited: Container[int] = (), *, patience_s: float = 0.0) -> None:
    """Raise ConfigurationError for the first address that cannot be listened on within `patience_s`.

    All are held until the last was tried, so that two names for one port are noticed, too.
    """
    deadline = time.monotonic() + patience_s
    with contextlib.ExitStack() as held:
        for address in (one for one in addresses if one.port not in inherited):
            while True:
                try:
                    held.enter_context(listen(address.host, address.port))
                    break
                except OSError as error:
                    if time.monotonic() >= deadline:
                        raise ConfigurationError(
                            f"Port {address.port} of {address.host} cannot be listened on ({reason(error)}): "
                            f"stop what holds it, or set {address.variable} to another."
                        ) from None
                time.sleep(POLL_S)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; on any free port for 0. Raises OSError."""
    family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with contextlib.ExitStack() as attempt:
        listener = attempt.enter_context(socket.socket(family, socket.SOCK_STREAM))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is not taken
        listener.bind(where)
        listener.listen()
        attempt.pop_all()
    return listener


def reason(error: OSError) -> str:
    """Return what is in the way, in the system's words."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
