"""Connections that nobody works for: each waits for one thing, for so long, in the worker's loop. Base of the worker.

They cost a file descriptor and a few bytes; when there are too many, the one that has waited longest makes room.
"""

import contextlib
import selectors
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from gateway.process.connection import Connection
from gateway.process.held_bytes import UNSENT_BYTES, Held
from gateway.process.refusals import write_problem

LINGER_S = 2.0  # RFC 9112 §9.6: so long a closing connection is read on, or the client may lose the end of its answer
SWEEP_S = 0.5  # how often those that send are looked through; each has a deadline of its own


class ParkingWorker(ThreadWorker):  # type: ignore[misc]
    """Beside gunicorn's `pending_conns` (for a request) and `keepalived_conns`: `sending` an answer, `leaving`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.leaving: deque[Connection] = deque()
        self.sending: deque[Connection] = deque()
        self.unsent = Held(UNSENT_BYTES)
        self._swept_at = monotonic()

    def park(
        self,
        waiting: "deque[Connection]",
        conn: Connection,
        patience_s: float,
        resume: Callable[[Connection, Any], None],
        event: int = selectors.EVENT_READ,
    ) -> None:
        conn.sock.setblocking(False)
        conn.timeout = monotonic() + patience_s
        waiting.append(conn)
        self.poller.register(conn.sock, event, partial(resume, conn))

    def part_from(self, conn: Connection) -> None:
        """Close our side, and read on for a while."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
        else:
            conn.since = monotonic()
            self.park(self.leaving, conn, LINGER_S, self._read_off)

    def refuse(self, conn: Connection, status: int, reason: str) -> None:
        """Answer a request that is not whole, and will not be waited for."""
        with contextlib.suppress(OSError):
            write_problem(conn.sock, status, reason, "")
        self.part_from(conn)

    def murder_pending(self) -> None:
        """End what is overdue; who has begun a request is told. gunicorn's loop calls it at each turn."""
        now = monotonic()
        while self.leaving and self.leaving[0].timeout <= now:
            self.drop(self.leaving, self.leaving[0])
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            conn = self.pending_conns[0]
            if conn.arrived:
                self.take_out(self.pending_conns, conn)
                self.refuse(conn, 408, "Request Timeout")
            else:
                self.drop(self.pending_conns, conn)
        if now >= self._swept_at + SWEEP_S:
            self._swept_at = now
            for conn in [conn for conn in self.sending if conn.timeout <= now]:
                self.drop(self.sending, conn)

    def make_room(self) -> bool:
        """Drop the connection that has sent nothing whole for longest; False when all are at work."""
        first = [waiting for waiting in (self.pending_conns, self.keepalived_conns, self.leaving) if waiting]
        if not first:
            return False
        longest = min(first, key=lambda waiting: waiting[0].since)
        self.drop(longest, longest[0])
        return True

    def take_out(self, waiting: "deque[Connection]", conn: Connection) -> None:
        waiting.remove(conn)
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)

    def drop(self, waiting: "deque[Connection]", conn: Connection) -> None:
        self.take_out(waiting, conn)
        self.discard(conn)

    def discard(self, conn: Connection) -> None:
        """Close what waits nowhere any more."""
        self.unsent.remove(conn, len(conn.unsent))
        self._close(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """Wait no longer for requests, once the worker was told to stop, than for those of kept-alive connections."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _read_off(self, conn: Connection, client: Any) -> None:
        try:
            if client.recv(65_536):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self.drop(self.leaving, conn)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()
