"""A client's connection, as the worker keeps it: bytes that came, an answer not taken yet, and how slow it may be."""

import errno
import fcntl
import struct
import termios
from time import monotonic
from typing import Any

from gunicorn import http  # type: ignore[import-untyped]
from gunicorn.http.body import LengthReader  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from gateway.errors import RequestTimeout
from gateway.process.held_bytes import Held

HEAD_BYTES = 16_384  # as much as Node's server takes; gunicorn itself would take 100 fields of 8 KB
PACE_BYTES_S = 8_192  # past its first seconds a body, or an answer, moves so fast: a quarter of a bad phone line


class HeadTooLarge(Exception):
    """No end of the head within HEAD_BYTES."""


class Inlet:
    """What a thread reads a body from. The whole body has a deadline: silence and trickles end alike.

    `recv` raises RequestTimeout, which no library between here and the app takes for an end of the stream.
    """

    def __init__(self, sock: Any, patience_s: float) -> None:
        self._sock = sock
        self._patience_s = patience_s
        self._began = monotonic()
        self._received = 0

    def begin(self) -> None:
        self._began, self._received = monotonic(), 0

    def recv(self, size: int) -> bytes:
        left_s = self._began + self._patience_s + self._received / PACE_BYTES_S - monotonic()
        if left_s <= 0:
            raise RequestTimeout
        self._sock.settimeout(left_s)
        try:
            data: bytes = self._sock.recv(size)
        except TimeoutError:
            raise RequestTimeout from None
        self._received += len(data)
        return data

    def waiting_bytes(self) -> int:
        """Return how much can be read without waiting."""
        (waiting,) = struct.unpack("i", fcntl.ioctl(self._sock, termios.FIONREAD, b"\0\0\0\0"))
        return int(waiting)


class Outlet:
    """What a thread writes an answer to. What the client does not take at once is left to the worker's loop."""

    def __init__(self, connection: "Connection", held: Held) -> None:
        self._connection = connection
        self._sock = connection.sock
        self._held = held

    def fileno(self) -> int:
        return int(self._sock.fileno())

    def send(self, data: bytes) -> int:
        self.sendall(data)
        return len(data)

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        if not self._connection.unsent:
            rest = rest[send_now(self._sock, rest) :]
        if not rest:
            return
        self._held.add(self._connection, len(rest))
        self._connection.unsent += rest

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Files come from the disk piece by piece, so they are sent by the thread, as long as the client goes on."""
        unsent = self._connection.unsent
        self._sock.settimeout(self._connection.patience_s)
        self._sock.sendall(unsent)
        self._held.remove(self._connection, len(unsent))
        unsent.clear()
        self._sock.settimeout(self._connection.patience_s)
        return int(self._sock.sendfile(file, offset, count))


def send_now(sock: Any, data: bytes | bytearray | memoryview) -> int:
    """Send what the kernel takes without waiting; return how many bytes that was."""
    sock.setblocking(False)
    try:
        return int(sock.send(data))
    except (BlockingIOError, InterruptedError):
        return 0


class Connection(TConn):  # type: ignore[misc]
    """`timeout`, on the clock of `monotonic`, is when whatever it waits for is overdue; `since`, when that began."""

    parser: Any

    def __init__(self, cfg: Any, sock: Any, client: Any, server: Any, patience_s: float) -> None:
        super().__init__(cfg, sock, client, server)
        self.patience_s = patience_s
        self.arrived = bytearray()
        self.unsent = bytearray()
        self.since = monotonic()
        self.data_ready = True  # whenever a thread gets it
        self._inlet = Inlet(sock, patience_s)
        self._looked_at = 0

    def init(self) -> None:
        """Hand over what has arrived to the parser. gunicorn's thread calls it at the beginning of each request."""
        if self.parser is None:
            self.parser = http.get_parser(self.cfg, self._inlet, self.client)
        self.initialized = True
        self._inlet.begin()
        self.parser.unreader.unread(bytes(self.arrived))
        self.arrived, self._looked_at = bytearray(), 0

    def take_over(self) -> None:
        """Take back what the parser read ahead: the beginning of a next request."""
        self.arrived += self.parser.unreader.take_buffered()

    def receive(self) -> None:
        """Read what is there. Raises ConnectionError at its end, OSError when it is broken."""
        try:
            data = self.sock.recv(HEAD_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the client has left")
        self._looked_at = len(self.arrived)
        self.arrived += data

    def has_head(self) -> bool:
        """Whether a thread can begin: what a head means, also a malformed one, is the parser's business alone.

        A bare newline (RFC 9112 §2.2) is, too: the end that is waited for might never come. Raises HeadTooLarge.
        """
        if self.arrived.find(b"\r\n\r\n", max(0, self._looked_at - 3)) >= 0:
            return True
        if len(self.arrived) > HEAD_BYTES:
            raise HeadTooLarge
        return self.arrived.count(b"\n") != self.arrived.count(b"\r\n")


def is_whole(body: Any) -> bool:
    """Whether all that the reader of a request's body (`wsgi.input`) has not read can be read without waiting."""
    reader = body.reader
    if not isinstance(reader, LengthReader):
        return reader.parser is None
    here = reader.unreader.buf.getbuffer().nbytes
    return bool(reader.length <= here or reader.length <= here + reader.unreader.sock.waiting_bytes())
