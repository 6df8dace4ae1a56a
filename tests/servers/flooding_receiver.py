"""A receiver process whose answers never end: run as `python -m tests.servers.flooding_receiver`; it prints its port.

The path of the request names the flood. Threads with blocking sockets, so that it sends as fast as it is read.
"""

import contextlib
import socket
import sys
import threading
from itertools import chain, repeat

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FLOODS = {  # what is sent once, and what is sent again and again
    "100": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "100-short": (b"", b"HTTP/1.1 100\r\n\r\n"),
    "102": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "103-headers": (b"", b"HTTP/1.1 103 Early Hints\r\n" + b"a: b\r\n" * 100 + b"\r\n"),
    "answers": (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "headers": (OK, b"a: b\r\n"),
    "header": (OK + b"a: ", b"b"),
    "status": (b"HTTP/1.1 200 ", b"a"),
    "body": (OK + b"\r\n", b"x"),
    "chunks": (CHUNKED, b"1\r\nx\r\n"),
    "extensions": (CHUNKED, b"1;a=b\r\nx\r\n"),
    "extension": (CHUNKED + b"1;", b"a"),
    "trailers": (CHUNKED + b"0\r\n", b"a: b\r\n"),
    "drops": (OK, b"a"),
    "gzip": (OK + b"Content-Encoding: gzip\r\n\r\n", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00"),
}
PIECE_BYTES = 65_536


def serve(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError, KeyError, IndexError):
        path = connection.recv(65_536).split(b" ", 2)[1]
        once, again = FLOODS[path.decode().rpartition("/")[2]]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        many = again if path.endswith(b"drops") else again * (PIECE_BYTES // len(again))
        for piece in chain([once], repeat(many)):
            connection.sendall(piece)


def main() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        sys.stdout.write(f"{server.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    main()
