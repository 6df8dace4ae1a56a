"""Bytes that connections make a worker hold, with an end to it."""

import contextlib
import socket
import threading
from typing import Protocol

UNSENT_BYTES = 33_554_432  # of answers that clients take slowly, per worker: a thousand full pages of messages


class Holder(Protocol):
    """A connection."""

    sock: socket.socket


class Held:
    """What connections make us hold. When it is too much, whoever holds most goes. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sizes: dict[Holder, int] = {}
        self._total = 0
        self._lock = threading.Lock()

    def add(self, connection: Holder, size: int) -> None:
        """Count `size` bytes more of this connection; whoever holds most loses its connection when there is no room."""
        if not size:
            return
        with self._lock:
            while self._sizes and self._total + size > self._most:
                largest = max(self._sizes, key=lambda other: self._sizes[other])
                self._total -= self._sizes.pop(largest)
                with contextlib.suppress(OSError):
                    largest.sock.shutdown(socket.SHUT_RDWR)  # the loop sees it, and clears up
            self._sizes[connection] = self._sizes.get(connection, 0) + size
            self._total += size

    def remove(self, connection: Holder, size: int) -> None:
        """Count them no longer; what was counted out already does not matter."""
        with self._lock:
            held = self._sizes.pop(connection, 0)
            self._total -= min(size, held)
            if held > size:
                self._sizes[connection] = held - size
