"""Addresses to listen on, looked at before a process starts anything: a taken one is a sentence, not a traceback.

Called by the bridge's `main` and by gunicorn's configuration of the gateway.
"""

import contextlib
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from realtime_bridge.environment import ConfigurationError

POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Address:
    """`variable` is the one that chooses the port."""

    host: str
    port: int
    variable: str


def check_addresses(addresses: Sequence[Address], *, patience_s: float = 0.0) -> None:
    """Raise ConfigurationError for the first address that cannot be listened on within `patience_s`.

    All are held until the last was tried, so that two names for one port are noticed, too.
    """
    deadline = time.monotonic() + patience_s
    with contextlib.ExitStack() as held:
        for address in addresses:
            while problem := _hold(address, held):
                if time.monotonic() >= deadline:
                    raise ConfigurationError(
                        f"Port {address.port} of {address.host} cannot be listened on ({problem}): "
                        f"stop what holds it, or set {address.variable} to another."
                    )
                time.sleep(POLL_S)


def _hold(address: Address, held: contextlib.ExitStack) -> str | None:
    """Listen there until `held` ends; return what is in the way."""
    try:
        family, *_, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as attempt:
            listener = attempt.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is not taken
            listener.bind(where)
            listener.listen()
            held.push(attempt.pop_all())
    except OSError as error:
        return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    return None
