"""Guard of addresses, where the socket is made. No webhook connects to one that was not checked. Used by the sender.

aiohttp does not ask a resolver about literal addresses (also when they are written in Unicode digits), so a check in
the resolver can be walked around. The connector's `check` is given the address that is dialled, after DNS, so a name
that changes its mind between check and call is caught as well. Names are checked in the resolver, too, for the message.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace

from realtime_bridge.shared.outbound import BoundedConnector
from realtime_bridge.webhooks.contract.addresses import AddressGuard, AddressRefused

Lookup = Callable[[str, int, int], list[str]]
DNS_CACHE_S = 10  # an endpoint that moves is followed soon; the guard looks at every new connection in any case
DNS_THREADS = 32  # a slow name server must not hold up other names
KEEPALIVE_S = 15.0


@dataclass(slots=True)
class Opening:
    """How a request came by its connection. A kept one leaves it as it is."""

    begun: bool = False
    dns_ms: float | None = None
    connect_ms: float | None = None
    """With the name's time in it."""


OPENING: ContextVar[Opening] = ContextVar("OPENING")  # of the request that this task makes


def getaddrinfo(host: str, port: int, family: int) -> list[str]:
    """Return the addresses of a name, in the order in which the system would try them. Raises OSError."""
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedResolver(AbstractResolver):
    """Looks names up in threads of its own; a name that has any refused address is refused."""

    def __init__(self, guard: AddressGuard, lookup: Lookup = getaddrinfo) -> None:
        self._guard = guard
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(DNS_THREADS, thread_name_prefix="webhook-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        addresses = await loop.run_in_executor(self._threads, self._lookup, host, port, int(family))
        if opening := OPENING.get(None):
            opening.dns_ms = (time.perf_counter() - began) * 1_000
        for address in addresses:
            try:
                self._guard.check(address)
            except AddressRefused as error:
                raise AddressRefused(f"{host} resolves to a refused address: {error}") from None
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class TimedConnector(BoundedConnector):
    """Notes what new connections take. aiohttp's own tracing costs every request more than signing it does."""

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 the overridden method's
    ) -> ResponseHandler:
        opening = OPENING.get(None) or Opening()
        opening.begun = True
        began = time.perf_counter()
        protocol = await super()._create_connection(req, traces, timeout)
        opening.connect_ms = (time.perf_counter() - began) * 1_000
        return protocol


def create_connector(guard: AddressGuard, *, limit: int, lookup: Lookup = getaddrinfo) -> aiohttp.TCPConnector:
    """Return a connector that opens sockets only to addresses that `guard` lets through."""
    return TimedConnector(
        resolver=GuardedResolver(guard, lookup),
        check=guard.check,
        limit=limit,
        limit_per_host=0,  # endpoints of one host are not each other's business; their own limits hold
        ttl_dns_cache=DNS_CACHE_S,
        keepalive_timeout=KEEPALIVE_S,
        happy_eyeballs_delay=None,  # addresses in turn: a refusal then ends the attempt instead of losing a race
    )
