"""Transfers that take their time: bodies, files. Each holds a thread, and no place among those who work.

What is read whole is in memory until its request ends, so a place counts as many MiB as that may be.
"""

import contextlib
from collections.abc import Callable, Hashable, Iterator

from flask import Flask, g, request

from gateway.errors import ServiceUnavailable
from gateway.fairness.places import TRANSFERS_MIB, UNPROVEN_MIB
from gateway.process.connection import is_whole
from realtime_bridge.shared.shares import Held

MIB = 1_048_576
LARGEST_MIB = 9  # a webhook of WhatsApp with its photo: whoever has nothing here yet may always bring one
BUSY = "Too many bodies and files are on their way; wait for some to end."


class Transfers:
    """`step_aside` gives up the request's place at the turnstile; the views that want one take it afterwards.

    Who has shown a key, or a signed URL, has its account's share. What only a body's signature will prove comes to a
    smaller room: whoever knows a channel's id takes at most that channel's account's share of it.
    """

    def __init__(self, step_aside: Callable[[], None]) -> None:
        self._step_aside = step_aside
        self._proven = Held(TRANSFERS_MIB, greed=1, few=LARGEST_MIB)
        self._unproven = Held(UNPROVEN_MIB, greed=1, few=LARGEST_MIB)

    def install(self, app: Flask) -> None:
        app.teardown_request(lambda _: g.pop("end_of_transfer", lambda: None)())

    @contextlib.contextmanager
    def moving(self, owner: Hashable) -> Iterator[None]:
        """Read or write within the block as slowly as the server lets the client, which ends with RequestTimeout."""
        release = self.begin(owner)
        try:
            yield
        finally:
            release()

    def begin(self, owner: Hashable, mib: int = 1, *, is_proven: bool = True) -> Callable[[], None]:
        """Take a place; return what gives it back. Raises ServiceUnavailable when this owner has enough of them."""
        room = self._proven if is_proven else self._unproven
        if not room.take(owner, mib):
            raise ServiceUnavailable(BUSY)
        self._step_aside()
        return lambda: room.give_back(owner, mib)

    def read_body(self, owner: Hashable, *, is_proven: bool = True) -> bytes:
        """Return the whole body, at most what the view takes. Raises RequestTimeout, ServiceUnavailable."""
        if may_be_slow():
            length = request.content_length
            mib = ((request.max_content_length or 0) if length is None else length) // MIB + 1
            g.end_of_transfer = self.begin(owner, mib, is_proven=is_proven)
        return request.get_data(cache=True)


def may_be_slow() -> bool:
    """Whether some of the request's body may still be on its way."""
    body = request.environ["wsgi.input"]
    return hasattr(body, "reader") and not is_whole(body)
