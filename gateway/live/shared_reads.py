"""Shared reads for all who ask the same at one moment. Many consumers of one account wake up together."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from time import monotonic
from typing import Generic, TypeVar

from gateway.errors import ServiceUnavailable

FOLLOW_S = 10.0  # longer than any statement may take
KEEP = 16  # finished reads, each a page of a megabyte at most; a follower arrives within milliseconds of its leader

Result = TypeVar("Result")


class SharedReads(Generic[Result]):
    """Thread-safe. A result is shared only with those for whom it is new enough."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, tuple[float, Future[Result]]] = {}  # with when each began
        self._lock = threading.Lock()

    def get(self, key: Hashable, read: Callable[[], Result], *, not_before: float) -> Result:
        """Return what `read` returns, or what it returned to another caller who began it at `not_before` or later."""
        with self._lock:
            started_at, flight = self._flights.pop(key, (float("-inf"), Future[Result]()))
            leads = started_at < not_before
            if leads:
                started_at, flight = monotonic(), Future()
            self._flights[key] = started_at, flight
            while len(self._flights) > KEEP:
                del self._flights[next(iter(self._flights))]
        if leads:
            try:
                flight.set_result(read())
            except Exception as error:  # noqa: BLE001 told to everybody who waits for it
                flight.set_exception(error)
        try:
            return flight.result(FOLLOW_S)
        except TimeoutError:
            raise ServiceUnavailable from None
