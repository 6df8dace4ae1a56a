"""Bodies that take their time: each holds a thread, and neither a place among those who work nor somebody's share."""

import contextlib
from collections.abc import Callable, Hashable, Iterator

from flask import request

from gateway.errors import ServiceUnavailable
from gateway.places import TRANSFERS
from gateway.request_heads import SMALL_BYTES
from gateway.shares import Shares


class Transfers:
    """`step_aside` gives up the request's place at the turnstile; the views that want one take it afterwards."""

    def __init__(self, step_aside: Callable[[], None], at_once: int = TRANSFERS) -> None:
        self._step_aside = step_aside
        self._shares = Shares(at_once)

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
        if not self._shares.take(owner):
            raise ServiceUnavailable("Too many uploads and downloads are under way; wait for some to end.")
        self._step_aside()
        return lambda: self._shares.give_back(owner)


def may_be_slow() -> bool:
    """Whether the request's body may still be on its way: small ones are here before their request begins."""
    is_chunked = request.content_length is None and "Transfer-Encoding" in request.headers
    return is_chunked or "Expect" in request.headers or (request.content_length or 0) > SMALL_BYTES
