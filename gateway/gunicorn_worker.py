"""gunicorn's threaded worker, with one rule more: who is slow waits in the loop, and holds no thread.

A connection without a whole request, one that takes its answer slowly and one that is being closed cost a file
descriptor and a few bytes, for a limited time; when there are too many, the one that has waited longest makes room.
Everything that may be waited for in a thread has a deadline (`gunicorn_connection`).
"""

import contextlib
import errno
import selectors
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from types import SimpleNamespace
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from gateway.gunicorn_connection import (
    ARRIVING_BYTES,
    PACE_BYTES_S,
    UNSENT_BYTES,
    Connection,
    Held,
    Outlet,
    has_whole_body,
    send_now,
)
from gateway.gunicorn_problems import write_problem
from gateway.request_heads import HeadTooLarge

LINGER_S = 2.0  # RFC 9112 §9.6: so long a closing connection is read on, or the client may lose the end of its answer
NOBODY_THERE = (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK)
NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)


class Worker(ThreadWorker):  # type: ignore[misc]
    """`patience_s`, set by the configuration, is how long a request may take to arrive beyond its body's pace."""

    patience_s = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.leaving: deque[Connection] = deque()
        self.sending: deque[Connection] = deque()
        self._unsent = Held(UNSENT_BYTES)
        self._arriving = Held(ARRIVING_BYTES)

    # What arrives

    def accept(self, listener: Any) -> None:
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno in NO_DESCRIPTOR and self._make_room():
                return
            if error.errno not in NOBODY_THERE:
                raise
            return
        self.nr_conns += 1
        self._await_request(Connection(self.cfg, sock, address, listener.getsockname(), self.patience_s))
        while self.nr_conns >= self.worker_connections and self._make_room():
            pass

    def on_client_socket_readable(self, conn: Connection, client: Any) -> None:
        """Take a kept-alive connection whose next request begins."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        conn.since = monotonic()
        self._await_request(conn)
        self.on_pending_socket_readable(conn, client)

    def on_pending_socket_readable(self, conn: Connection, client: Any) -> None:
        """Take what has come of a request; the rest of it is not waited for by anybody."""
        try:
            self._arriving.add(conn, conn.receive())
            is_there = conn.is_there()
        except OSError:
            self._drop(self.pending_conns, conn)
        except HeadTooLarge:
            self._refuse(conn, 431, "Request Header Fields Too Large")
        else:
            if is_there:
                self._arriving.remove(conn, len(conn.arrived))
                self.poller.unregister(client)
                self.pending_conns.remove(conn)
                self.enqueue_req(conn)

    def _await_request(self, conn: Connection) -> None:
        self._park(self.pending_conns, conn, self.patience_s, self.on_pending_socket_readable)

    def _refuse(self, conn: Connection, status: int, reason: str) -> None:
        self.pending_conns.remove(conn)
        self.poller.unregister(conn.sock)
        self._arriving.remove(conn, len(conn.arrived))
        with contextlib.suppress(OSError):
            write_problem(conn.sock, status, reason, "")
        self._part_from(conn)

    # What a thread does

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer as gunicorn does, with a socket that does not wait, and a connection that ends with a body's rest."""
        should_close = req.should_close
        req.should_close = lambda: should_close() or not has_whole_body(req)
        try:
            outlet = SimpleNamespace(sock=Outlet(conn, self._unsent), client=conn.client, server=conn.server)
            return super().handle_request(req, outlet)
        except TimeoutError:
            raise BrokenPipeError(errno.EPIPE, "the client does not take its answer") from None

    # What follows an answer

    def finish_request(self, conn: Connection, fs: Any) -> None:
        try:
            keeps = bool(not fs.cancelled() and fs.result())
        except Exception:  # noqa: BLE001 whatever a thread died of, its connection ends
            keeps = False
        if conn.unsent:
            patience_s = self.patience_s + len(conn.unsent) / PACE_BYTES_S
            self._park(self.sending, conn, patience_s, partial(self._send_on, keeps), selectors.EVENT_WRITE)
        else:
            self._go_on(conn, keeps)

    def _send_on(self, keeps: bool, conn: Connection, client: Any) -> None:
        try:
            sent = send_now(client, conn.unsent)
        except OSError:
            self._drop(self.sending, conn)
            return
        self._unsent.remove(conn, sent)
        del conn.unsent[:sent]
        if not conn.unsent:
            self.poller.unregister(client)
            self.sending.remove(conn)
            self._go_on(conn, keeps)

    def _go_on(self, conn: Connection, keeps: bool) -> None:
        """Wait for the next request, which may have begun to arrive; or part."""
        if not keeps:
            self._part_from(conn)
            return
        conn.since = monotonic()
        conn.take_over()
        try:
            if conn.is_there():
                self.enqueue_req(conn)
            elif conn.arrived:
                self._await_request(conn)
            else:
                patience_s = self.cfg.keepalive if self.alive else LINGER_S
                self._park(self.keepalived_conns, conn, patience_s, self.on_client_socket_readable)
        except HeadTooLarge:
            self._part_from(conn)

    def _part_from(self, conn: Connection) -> None:
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(1)  # SHUT_WR: the client sees the end of the answer
        except OSError:
            self._close(conn)
        else:
            conn.since = monotonic()
            self._park(self.leaving, conn, LINGER_S, self._read_off)

    def _read_off(self, conn: Connection, client: Any) -> None:
        try:
            if client.recv(65_536):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self._drop(self.leaving, conn)

    # Who waits, and for how long

    def _park(
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

    def murder_pending(self) -> None:
        """End what is overdue; who has begun a request is told."""
        now = monotonic()
        for waiting in (self.leaving, self.sending):
            for conn in [conn for conn in waiting if conn.timeout <= now]:
                self._drop(waiting, conn)
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            if self.pending_conns[0].arrived:
                self._refuse(self.pending_conns[0], 408, "Request Timeout")
            else:
                self._drop(self.pending_conns, self.pending_conns[0])

    def _cap_keepalive(self, deadline: float) -> None:
        """Wait no longer for requests, once the worker was told to stop, than for those of kept-alive connections."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _make_room(self) -> bool:
        """Drop the connection that has sent nothing whole for longest; False when all are at work."""
        first = [waiting for waiting in (self.pending_conns, self.keepalived_conns, self.leaving) if waiting]
        if not first:
            return False
        longest = min(first, key=lambda waiting: waiting[0].since)
        self._drop(longest, longest[0])
        return True

    def _drop(self, waiting: "deque[Connection]", conn: Connection) -> None:
        waiting.remove(conn)
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self._unsent.remove(conn, len(conn.unsent))
        self._arriving.remove(conn, len(conn.arrived))
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()
