"""Connection of a client, as the worker keeps it. Bytes that came, an answer not taken yet, and how slow it may be."""

import contextlib
import errno
import fcntl
import socket
import struct
import termios
import threading
from time import monotonic
from typing import Any

from gunicorn import http  # type: ignore[import-untyped]
from gunicorn.http.body import LengthReader  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from gateway.errors import RequestTimeout

HEAD_BYTES = 16_384  # as much as Node's server takes; gunicorn itself would take 100 fields of 8 KB
PACE_BYTES_S = 8_192  # past its first seconds a body, or an answer, moves so fast: a quarter of a bad phone line


class Connection(TConn):  # type: ignore[misc]
    """`timeout`, on the clock of `monotonic`, is when whatever it waits for is overdue."""

    parser: Any

    def __init__(self, cfg: Any, sock: Any, client: Any, server: Any, patience_s: float) -> None:
        super().__init__(cfg, sock, client, server)
        self.patience_s = patience_s
        self.arrived = bytearray()
        self.unsent = bytearray()
        self.is_cut_off = False
        self.initialized = True  # so that gunicorn's thread does not wait for it

    def init(self) -> None:
        """Hand over what has arrived to a parser. gunicorn's thread calls it at the beginning of each request."""
        self.parser = http.get_parser(self.cfg, Inlet(self.sock, self.patience_s), self.client)
        self.parser.unreader.unread(bytes(self.arrived))
        self.arrived.clear()

    def take_over(self) -> None:
        """Take back what the parser read ahead: the beginning of a next request."""
        self.arrived += self.parser.unreader.take_buffered()

    def receive(self) -> None:
        """Read what is there. Raises ConnectionError at its end, OSError when it is broken."""
        try:
            data = self.sock.recv(HEAD_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the client has left")
        self.arrived += data

    def has_head(self) -> bool:
        """Whether a thread can begin: what a head means, also a malformed one, is the parser's business alone."""
        return b"\r\n\r\n" in self.arrived

    def cut_off(self) -> None:
        """End it from any thread; the loop, or who writes an answer, sees it and clears up."""
        self.is_cut_off = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


class Inlet:
    """What a thread reads a body from. The whole body has a deadline: silence and trickles end alike.

    `recv` raises RequestTimeout, which no library between here and the app takes for an end of the stream.
    """

    def __init__(self, sock: Any, patience_s: float) -> None:
        self._sock = sock
        self._deadline = monotonic() + patience_s

    def recv(self, size: int) -> bytes:
        left_s = self._deadline - monotonic()
        if left_s <= 0:
            raise RequestTimeout
        self._sock.settimeout(left_s)
        try:
            data: bytes = self._sock.recv(size)
        except TimeoutError:
            raise RequestTimeout from None
        self._deadline += len(data) / PACE_BYTES_S
        return data

    def waiting_bytes(self) -> int:
        """Return how much can be read without waiting."""
        (waiting,) = struct.unpack("i", fcntl.ioctl(self._sock, termios.FIONREAD, b"\0\0\0\0"))
        return int(waiting)


class Unsent:
    """What is left of answers until clients take it, at most so many bytes. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._connections: set[Connection] = set()
        self._lock = threading.Lock()

    def add(self, connection: Connection, data: memoryview) -> None:
        """Keep `data` for this connection; whoever has most is cut off when there is no room."""
        with self._lock:
            connection.unsent += data
            self._connections.add(connection)
            while sum(len(other.unsent) for other in self._connections) > self._most:
                largest = max(self._connections, key=lambda other: len(other.unsent))
                self._connections.remove(largest)
                largest.cut_off()

    def forget(self, connection: Connection) -> None:
        with self._lock:
            self._connections.discard(connection)


class Outlet:
    """What a thread writes an answer to. What the client does not take at once is left to the worker's loop."""

    def __init__(self, connection: Connection, unsent: Unsent) -> None:
        self._connection = connection
        self._sock = connection.sock
        self._unsent = unsent

    def fileno(self) -> int:
        return int(self._sock.fileno())

    def send(self, data: bytes) -> int:
        self.sendall(data)
        return len(data)

    def sendall(self, data: bytes) -> None:
        if self._connection.is_cut_off:
            raise BrokenPipeError(errno.EPIPE, "the client takes its answer too slowly")
        rest = memoryview(data)
        if not self._connection.unsent:
            rest = rest[send_now(self._sock, rest) :]
        if rest:
            self._unsent.add(self._connection, rest)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Files come from the disk piece by piece, so they are sent by the thread, as long as the client goes on."""
        self._sock.settimeout(self._connection.patience_s)
        try:
            self._sock.sendall(self._connection.unsent)
            self._unsent.forget(self._connection)
            self._connection.unsent.clear()
            return int(self._sock.sendfile(file, offset, count))
        except TimeoutError:
            raise BrokenPipeError(errno.EPIPE, "the client does not take its answer") from None


def send_now(sock: Any, data: bytes | bytearray | memoryview) -> int:
    """Send what the kernel takes without waiting; return how many bytes that was."""
    sock.setblocking(False)
    try:
        return int(sock.send(data))
    except BlockingIOError:
        return 0


def is_whole(body: Any) -> bool:
    """Whether all that a body's reader (`wsgi.input`) has not read can be read without waiting longer."""
    reader = body.reader
    if not isinstance(reader, LengthReader):
        return reader.parser is None
    here = reader.unreader.buf.getbuffer().nbytes
    return bool(reader.length <= here or reader.length <= here + reader.unreader.sock.waiting_bytes())
