"""Shared reads for all who ask the same at one moment. Many consumers of one account wake up together."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, TypeVar

from gateway.errors import ServiceUnavailable

FOLLOW_S = 10.0  # longer than any statement may take
KEEP = 16  # finished reads, each a page of a megabyte at most; a follower arrives within milliseconds of its leader

Result = TypeVar("Result")


@dataclass(slots=True)
class _Flight(Generic[Result]):
    started_at: float
    done: threading.Event = field(default_factory=threading.Event)
    result: Result | None = None
    error: Exception | None = None


class SharedReads(Generic[Result]):
    """Thread-safe. A result is shared only with those for whom it is new enough."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._flights: dict[Hashable, _Flight[Result]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, read: Callable[[], Result], *, not_before: float) -> Result:
        """Return what `read` returns, or what it returned to another caller who began it at `not_before` or later."""
        with self._lock:
            flight = self._flights.get(key)
            leads = flight is None or flight.started_at < not_before
            if flight is None or leads:
                flight = _Flight(self._clock())
                self._flights.pop(key, None)
                self._flights[key] = flight
                while len(self._flights) > KEEP:
                    del self._flights[next(iter(self._flights))]
        if leads:
            self._fly(flight, read)
        elif not flight.done.wait(FOLLOW_S):
            raise ServiceUnavailable
        if flight.error is not None:
            raise flight.error
        assert flight.result is not None  # noqa: S101 set before `done`
        return flight.result

    @staticmethod
    def _fly(flight: _Flight[Result], read: Callable[[], Result]) -> None:
        try:
            flight.result = read()
        except Exception as error:  # noqa: BLE001 told to everybody who waits for it
            flight.error = error
        finally:
            flight.done.set()
