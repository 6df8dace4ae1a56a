"""Bodies and files that take their time: each holds a thread, and no place among those who work.

What is read whole is in memory until its request ends, so that is shared out, too.
"""

import contextlib
from collections.abc import Callable, Hashable, Iterator

from flask import Flask, g, request

from gateway.errors import ServiceUnavailable
from gateway.places import TRANSFERS, WHOLE_BODIES_MIB
from gateway.request_heads import SMALL_BYTES
from gateway.shares import Shares

MIB = 1_048_576
LARGEST_MIB = 8  # a webhook of WhatsApp with its photo: whoever has nothing here yet may always bring one


class Transfers:
    """`step_aside` gives up the request's place at the turnstile; the views that want one take it afterwards."""

    def __init__(self, step_aside: Callable[[], None]) -> None:
        self._step_aside = step_aside
        self._places = Shares(TRANSFERS)
        self._memory = Shares(WHOLE_BODIES_MIB, few=LARGEST_MIB)

    def install(self, app: Flask) -> None:
        app.teardown_request(lambda _: self._forget())

    @contextlib.contextmanager
    def moving(self, owner: Hashable) -> Iterator[None]:
        """Read or write within the block as slowly as the server lets the client, which ends with RequestTimeout."""
        release = self.begin(owner)
        try:
            yield
        finally:
            release()

    def begin(self, owner: Hashable) -> Callable[[], None]:
        """Take a place; return what gives it back. Raises ServiceUnavailable when this owner has enough of them."""
        if not self._places.take(owner):
            raise ServiceUnavailable("Too many uploads and downloads are under way; wait for some to end.")
        self._step_aside()
        return lambda: self._places.give_back(owner)

    def read_body(self, owner: Hashable) -> bytes:
        """Return the whole body, at most what the view takes. Raises RequestTimeout, ServiceUnavailable."""
        if not may_be_slow():
            return request.get_data(cache=True)
        length = request.content_length
        size_mib = ((request.max_content_length or 0) if length is None else length) // MIB + 1
        with self.moving(owner):
            if not self._memory.take(owner, size_mib):
                raise ServiceUnavailable("Too many large bodies at once; wait for some to be answered.")
            g.whole_body = (owner, size_mib)
            return request.get_data(cache=True)

    def _forget(self) -> None:
        if (held := g.pop("whole_body", None)) is not None:
            self._memory.give_back(*held)


def may_be_slow() -> bool:
    """Whether the request's body may still be on its way: small ones are here before their request begins."""
    is_chunked = request.content_length is None and "Transfer-Encoding" in request.headers
    return is_chunked or "Expect" in request.headers or (request.content_length or 0) > SMALL_BYTES
