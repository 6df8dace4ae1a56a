"""A queue in which who holds least is next: one owner's hundred do not stand before another's first. Thread-safe."""

import contextlib
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable, Iterator
from time import monotonic

from gateway.shares import Shares


class QueueFull(Exception):
    """Too many wait already, or too many of this owner's."""


class FairQueue:
    """`at_once` places, the last quarter never one owner's; at most `most_waiting` wait for one, in shares by owner."""

    def __init__(self, at_once: int, most_waiting: int) -> None:
        self._free = at_once
        self._most = at_once - at_once // 4
        self._held: Counter[Hashable] = Counter()
        self._waiting: OrderedDict[Hashable, deque[_Ticket]] = OrderedDict()
        self._shares = Shares(most_waiting)
        self._full_at = float("-inf")
        self._lock = threading.Lock()

    def enter(self, owner: Hashable, timeout_s: float) -> bool:
        """Take a place, which `leave` gives to the next; False when none came free in time. Raises QueueFull."""
        with self._lock:
            if self._free > 0 and self._held[owner] < self._most:
                self._free -= 1
                self._held[owner] += 1
                return True
            if not self._shares.take(owner):
                if self._shares.is_full:
                    self._full_at = monotonic()
                raise QueueFull
            ticket = _Ticket()
            self._waiting.setdefault(owner, deque()).append(ticket)
        try:
            return ticket.granted.wait(timeout_s) or not self._withdraw(owner, ticket)
        finally:
            self._shares.give_back(owner)

    @contextlib.contextmanager
    def place(self, owner: Hashable, timeout_s: float) -> Iterator[None]:
        """Hold a place within the block. Raises QueueFull, also when none came free in time."""
        if not self.enter(owner, timeout_s):
            raise QueueFull
        try:
            yield
        finally:
            self.leave(owner)

    def leave(self, owner: Hashable) -> None:
        with self._lock:
            self._held[owner] -= 1
            if not self._held[owner]:
                del self._held[owner]
            self._free += 1
            self._let_in()

    @property
    def waiting(self) -> int:
        return self._shares.total

    def stuck_s(self) -> float:
        """How long somebody waits by now who holds no place; whoever holds some waits for what it does itself."""
        with self._lock:
            now = monotonic()
            newcomers = (tickets[0].since for owner, tickets in self._waiting.items() if not self._held[owner])
            return now - min(newcomers, default=now)

    def full_s_ago(self) -> float:
        """When somebody was refused last because of others; not who had taken its own share."""
        return monotonic() - self._full_at

    def _let_in(self) -> None:
        """Give the free place to who holds least; of several, to who came first."""
        if not self._waiting:
            return
        following = min(self._waiting, key=lambda owner: self._held[owner])
        if self._held[following] >= self._most:
            return
        ticket = self._waiting[following].popleft()
        if self._waiting[following]:
            self._waiting.move_to_end(following)
        else:
            del self._waiting[following]
        self._free -= 1
        self._held[following] += 1
        ticket.granted.set()

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
