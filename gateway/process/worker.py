"""gunicorn's threaded worker, with one rule more: who is slow waits in the loop, and holds no thread.

A thread gets a request whose head is whole. Of a body nothing is waited for before the key, so whoever has none cannot
make us hold any; what a client does not take of the answer is sent by the loop. Everything that may still be waited for
in a thread has a deadline (`gunicorn_connection`).
"""

import errno
import selectors
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from types import SimpleNamespace
from typing import Any

from gateway.process.connection import PACE_BYTES_S, Connection, HeadTooLarge, Outlet, is_whole, send_now
from gateway.process.parking import LINGER_S, ParkingWorker

NOBODY_THERE = (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK)
NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
PROBE = b"GET /livez "  # it has a thread of its own, whatever the others wait for


class Worker(ParkingWorker):
    """`patience_s`, set by the configuration, is how long a request may take to arrive beyond its body's pace."""

    patience_s = 10.0

    def accept(self, listener: Any) -> None:
        """Take a connection; without a descriptor for it, let another go, and the next turn will have one."""
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno in NO_DESCRIPTOR:
                self.make_room()
            elif error.errno not in NOBODY_THERE:
                raise
            return
        self.nr_conns += 1
        self._await_request(Connection(self.cfg, sock, address, listener.getsockname(), self.patience_s))
        while self.nr_conns >= self.worker_connections and self.make_room():
            pass

    def init_process(self) -> None:
        self.probes = ThreadPoolExecutor(1, "probes")
        super().init_process()

    def enqueue_req(self, conn: Connection) -> None:
        pool = self.probes if conn.arrived.startswith(PROBE) else self.tpool
        done = pool.submit(self.handle, conn)
        done.add_done_callback(lambda future: self.method_queue.defer(self.finish_request, conn, future))

    def on_client_socket_readable(self, conn: Connection, _client: Any) -> None:
        """Take a kept-alive connection whose next request begins."""
        conn.since = monotonic()
        self._receive(self.keepalived_conns, conn)

    def on_pending_socket_readable(self, conn: Connection, _client: Any) -> None:
        self._receive(self.pending_conns, conn)

    def _receive(self, waiting: "deque[Connection]", conn: Connection) -> None:
        """Take what has come of a request; the rest of its head is not waited for by anybody."""
        try:
            conn.receive()
            has_head = conn.has_head()
        except OSError:
            self.drop(waiting, conn)
        except HeadTooLarge:
            self.take_out(waiting, conn)
            self.refuse(conn, 431, "Request Header Fields Too Large")
        else:
            if has_head:
                self.take_out(waiting, conn)
                self.enqueue_req(conn)
            elif waiting is not self.pending_conns:
                self.take_out(waiting, conn)
                self._await_request(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer as gunicorn does, with a socket that does not wait, and a connection that ends with a body's rest."""
        should_close = req.should_close
        req.should_close = lambda: should_close() or not is_whole(req.body)
        try:
            outlet = SimpleNamespace(sock=Outlet(conn, self.unsent), client=conn.client, server=conn.server)
            return super().handle_request(req, outlet)
        except TimeoutError:
            raise BrokenPipeError(errno.EPIPE, "the client does not take its answer") from None

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """Go on with a connection that a thread has done with; whatever the thread died of, the loop lives."""
        try:
            keeps = bool(not fs.cancelled() and fs.result())
        except Exception:  # noqa: BLE001 gunicorn has logged it
            keeps = False
        if conn.unsent:
            patience_s = self.patience_s + len(conn.unsent) / PACE_BYTES_S
            self.park(self.sending, conn, patience_s, partial(self._send_on, keeps), selectors.EVENT_WRITE)
        else:
            self._go_on(conn, keeps)

    def _await_request(self, conn: Connection) -> None:
        self.park(self.pending_conns, conn, self.patience_s, self.on_pending_socket_readable)

    def _send_on(self, keeps: bool, conn: Connection, client: Any) -> None:
        try:
            sent = send_now(client, conn.unsent)
        except OSError:
            self.drop(self.sending, conn)
            return
        self.unsent.remove(conn, sent)
        del conn.unsent[:sent]
        if not conn.unsent:
            self.poller.unregister(client)
            self.sending.remove(conn)
            self._go_on(conn, keeps)

    def _go_on(self, conn: Connection, keeps: bool) -> None:
        """Wait for the next request, which may have begun to arrive; or part."""
        if not keeps:
            self.part_from(conn)
            return
        conn.since = monotonic()
        conn.take_over()
        try:
            if conn.has_head():
                self.enqueue_req(conn)
            elif conn.arrived:
                self._await_request(conn)
            else:
                patience_s = self.cfg.keepalive if self.alive else LINGER_S
                self.park(self.keepalived_conns, conn, patience_s, self.on_client_socket_readable)
        except HeadTooLarge:
            self.part_from(conn)
