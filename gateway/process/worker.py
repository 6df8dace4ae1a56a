"""gunicorn's threaded worker, in which slow clients wait in the loop. So they hold no thread.

A thread gets a request whose head is whole. Of a body nothing is waited for before the key, so whoever has none cannot
make us hold any; what a client does not take of the answer is sent by the loop. Everything that may still be waited for
in a thread has a deadline (`connection.py`). Who waits in the loop costs a file descriptor and a few bytes, waits for
one thing, for so long; when there are too many, the one that has waited longest makes room.
"""

import contextlib
import errno
import selectors
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from time import monotonic
from types import SimpleNamespace
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from gateway.process.connection import HEAD_BYTES, PACE_BYTES_S, Connection, Outlet, Unsent, is_whole, send_now
from gateway.process.refusals import write_problem

NOBODY_THERE = (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK)
NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
PROBE = b"GET /livez "  # it has a thread of its own, whatever the others wait for
LINGER_S = 2.0  # RFC 9112 §9.6: so long a closing connection is read on, or the client may lose the end of its answer
SWEEP_S = 0.5  # how often who waits is looked through; each has a deadline of its own
READABLE = selectors.EVENT_READ
UNSENT_BYTES = 33_554_432  # of answers that clients take slowly, per worker: a thousand full pages of messages


class Worker(ThreadWorker):  # type: ignore[misc]
    """`patience_s`, set by the configuration, is how long a request may take to arrive beyond its body's pace."""

    patience_s = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.probes = ThreadPoolExecutor(1, "probes")
        self.parked: dict[Connection, None] = {}  # who waits, in the order in which they began to
        self.unsent = Unsent(UNSENT_BYTES)
        self._swept_at = monotonic()

    def accept(self, listener: Any) -> None:
        """Take a connection; without a descriptor for it, let another go, and the next turn will have one."""
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno in NO_DESCRIPTOR:
                self._make_room()
            elif error.errno not in NOBODY_THERE:
                raise
            return
        self.nr_conns += 1
        conn = Connection(self.cfg, sock, address, listener.getsockname(), self.patience_s)
        self._park(conn, self.patience_s, self._receive)
        if self.nr_conns >= self.worker_connections:
            self._make_room()

    def enqueue_req(self, conn: Connection) -> None:
        pool = self.probes if conn.arrived.startswith(PROBE) else self.tpool
        done = pool.submit(self.handle, conn)
        done.add_done_callback(lambda future: self.method_queue.defer(self.finish_request, conn, future))

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer as gunicorn does, with a socket that does not wait, and a connection that ends with a body's rest."""
        should_close = req.should_close
        req.should_close = lambda: should_close() or not is_whole(req.body)
        outlet = SimpleNamespace(sock=Outlet(conn, self.unsent), client=conn.client, server=conn.server)
        return super().handle_request(req, outlet)

    def finish_request(self, conn: Connection, fs: "Future[Any]") -> None:
        """Go on with a connection that a thread has done with; whatever the thread died of, the loop lives."""
        keeps = fs.exception() is None and bool(fs.result())
        if conn.unsent:
            patience_s = self.patience_s + len(conn.unsent) / PACE_BYTES_S
            self._park(conn, patience_s, partial(self._send_on, keeps), selectors.EVENT_WRITE)
        else:
            self._go_on(conn, keeps)

    def murder_pending(self) -> None:
        """End what is overdue; who has begun a request is told. gunicorn's loop calls it at each turn."""
        now = monotonic()
        if now < self._swept_at + SWEEP_S:
            return
        self._swept_at = now
        for conn in [conn for conn in self.parked if conn.timeout <= now]:
            if conn.arrived:
                self._refuse(conn, 408, "Request Timeout")
            else:
                self._close(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """Wait no longer than this for requests; gunicorn's loop calls it when the worker was told to stop."""
        for conn in self.parked:
            if not conn.unsent:
                conn.timeout = min(conn.timeout, deadline)

    def _make_room(self) -> None:
        """Let go whoever has sent nothing whole for longest."""
        longest = next((conn for conn in self.parked if not conn.unsent and not conn.is_cut_off), None)
        if longest is not None:
            longest.cut_off()

    def _park(
        self, conn: Connection, patience_s: float, resume: Callable[[Connection], None], event: int = READABLE
    ) -> None:
        conn.sock.setblocking(False)
        conn.timeout = monotonic() + patience_s
        self.parked[conn] = None
        self.poller.register(conn.sock, event, lambda _: resume(conn))

    def _take_out(self, conn: Connection) -> None:
        if conn in self.parked:
            del self.parked[conn]
            self.poller.unregister(conn.sock)

    def _receive(self, conn: Connection) -> None:
        """Take what has come of a request; the rest of its head is not waited for by anybody."""
        has_begun = bool(conn.arrived)
        try:
            conn.receive()
        except OSError:
            self._close(conn)
            return
        if not has_begun or conn.has_head() or len(conn.arrived) > HEAD_BYTES:
            self._take_out(conn)
            self._await_request(conn)

    def _await_request(self, conn: Connection) -> None:
        """Wait for a head, or its rest; one that is whole, or too large, is not waited for."""
        if conn.has_head():
            self.enqueue_req(conn)
        elif len(conn.arrived) > HEAD_BYTES:
            self._refuse(conn, 431, "Request Header Fields Too Large")
        elif conn.arrived:
            self._park(conn, self.patience_s, self._receive)
        else:
            self._park(conn, self.cfg.keepalive, self._receive)

    def _send_on(self, keeps: bool, conn: Connection) -> None:
        try:
            sent = send_now(conn.sock, conn.unsent)
        except OSError:
            self._close(conn)
            return
        del conn.unsent[:sent]
        if not conn.unsent:
            self.unsent.forget(conn)
            self._take_out(conn)
            self._go_on(conn, keeps)

    def _go_on(self, conn: Connection, keeps: bool) -> None:
        """Wait for the next request, which may have begun to arrive; or part."""
        if keeps:
            conn.take_over()
            self._await_request(conn)
        else:
            self._part_from(conn)

    def _refuse(self, conn: Connection, status: int, reason: str) -> None:
        """Answer a request that is not whole, and will not be waited for."""
        with contextlib.suppress(OSError):
            write_problem(conn.sock, status, reason, "")
        self._part_from(conn)

    def _part_from(self, conn: Connection) -> None:
        """Close our side, and read on for a while."""
        self._take_out(conn)
        conn.arrived.clear()
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
        else:
            self._park(conn, LINGER_S, self._read_off)

    def _read_off(self, conn: Connection) -> None:
        try:
            has_left = not conn.sock.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            has_left = True
        if has_left:
            self._close(conn)

    def _close(self, conn: Connection) -> None:
        self._take_out(conn)
        self.unsent.forget(conn)
        self.nr_conns -= 1
        conn.close()
