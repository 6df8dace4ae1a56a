"""Connections to servers that others run. What one answer may cost is bounded where its bytes are read.

Whatever a server sends, before, within and after an answer, must come through its socket: informational answers,
headers, chunks, trailers, a TLS handshake's certificates. So the socket counts, hands on little at a time, and breaks
off above the bound; nothing behind it has to know what endless things a protocol allows.
"""

import errno
import os
import socket
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

import aiohttp
from aiohttp.connector import AddrInfoType, Connection
from aiohttp.tracing import Trace

ANSWER_BYTES = 32_768  # a head of 16 KB, which servers' own limits are below, and 16 KB of a body for people to look at
READ_BYTES = 2_048  # one answer, mostly; a parser's work of half a millisecond, then others' turn comes
READ_COSTS = 256  # bytes at least: an answer that comes in single bytes has 128 of them
TOO_LONG = errno.EMSGSIZE


def session(connector: aiohttp.BaseConnector, timeout: aiohttp.ClientTimeout, **headers: str) -> aiohttp.ClientSession:
    """Return a client that keeps no cookies, takes no proxy from the environment, and unpacks nothing."""
    return aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        trust_env=False,
        auto_decompress=False,  # a few bytes may not become gigabytes
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={**headers, "Accept-Encoding": "identity"},
    )


class CountedSocket(socket.socket):
    """Reads `left` more bytes; then it fails with TOO_LONG, which ends its connection."""

    left = ANSWER_BYTES

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        data = super().recv(self._most(size), flags)
        self.left -= max(len(data), READ_COSTS)
        return data

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0, /) -> int:
        count = super().recv_into(buffer, self._most(size or len(buffer)), flags)
        self.left -= max(count, READ_COSTS)
        return count

    def _most(self, size: int) -> int:
        if self.left <= 0:
            raise OSError(TOO_LONG, os.strerror(TOO_LONG))
        return min(size, READ_BYTES, self.left)


class BoundedConnector(aiohttp.TCPConnector):
    """Lets an answer have `answer_bytes`, so its body may be read whole; a handshake has ANSWER_BYTES.

    `check` may refuse an address by raising.
    """

    def __init__(
        self, *, answer_bytes: int = ANSWER_BYTES, check: Callable[[str], object] = str, **options: Any
    ) -> None:
        super().__init__(socket_factory=self._open, **options)
        self._answer_bytes = answer_bytes
        self._check = check
        self._by_number: WeakValueDictionary[int, CountedSocket] = WeakValueDictionary()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 the overridden method's
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        if connection.transport:  # a kept one may end meanwhile
            self._by_number[connection.transport.get_extra_info("socket").fileno()].left = self._answer_bytes
        return connection

    def _open(self, info: AddrInfoType) -> socket.socket:
        family, kind, proto, _, address = info
        self._check(str(address[0]))
        opened = CountedSocket(family, kind, proto)
        self._by_number[opened.fileno()] = opened
        return opened
