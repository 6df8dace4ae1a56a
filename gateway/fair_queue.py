"""A queue in which who holds least is next: one owner's hundred do not stand before another's first. Thread-safe."""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from time import monotonic

from gateway.shares import Shares


class QueueFull(Exception):
    """Too many wait already, or too many of this owner's."""


class FairQueue:
    """`at_once` places; at most `most_waiting` wait for one, in shares by owner."""

    def __init__(self, at_once: int, most_waiting: int) -> None:
        self._free = at_once
        self._held: Counter[Hashable] = Counter()
        self._waiting: OrderedDict[Hashable, deque[_Ticket]] = OrderedDict()
        self._shares = Shares(most_waiting)
        self._refused_at = float("-inf")
        self._lock = threading.Lock()

    def enter(self, owner: Hashable, timeout_s: float) -> bool:
        """Take a place, which `leave` gives to the next; False when none came free in time. Raises QueueFull."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
                self._held[owner] += 1
                return True
            if not self._shares.take(owner):
                self._refused_at = monotonic()
                raise QueueFull
            ticket = _Ticket()
            self._waiting.setdefault(owner, deque()).append(ticket)
        try:
            return ticket.granted.wait(timeout_s) or not self._withdraw(owner, ticket)
        finally:
            self._shares.give_back(owner)

    def leave(self, owner: Hashable) -> None:
        with self._lock:
            self._held[owner] -= 1
            if not self._held[owner]:
                del self._held[owner]
            self._free += 1
            if self._waiting:
                following = min(self._waiting, key=lambda waiting: self._held[waiting])  # ties: who came first
                ticket = self._waiting[following].popleft()
                if not self._waiting[following]:
                    del self._waiting[following]
                else:
                    self._waiting.move_to_end(following)
                self._free -= 1
                self._held[following] += 1
                ticket.granted.set()

    @property
    def waiting(self) -> int:
        return self._shares.total

    def stuck_s(self) -> float:
        """How long the one that has waited longest waits by now."""
        with self._lock:
            return monotonic() - min((tickets[0].since for tickets in self._waiting.values()), default=monotonic())

    def refused_s_ago(self) -> float:
        return monotonic() - self._refused_at

    def _withdraw(self, owner: Hashable, ticket: "_Ticket") -> bool:
        """Wait no longer; False when the place was granted meanwhile."""
        with self._lock:
            if ticket.granted.is_set():
                return False
            self._waiting[owner].remove(ticket)
            if not self._waiting[owner]:
                del self._waiting[owner]
            return True


class _Ticket:
    def __init__(self) -> None:
        self.since = monotonic()
        self.granted = threading.Event()
