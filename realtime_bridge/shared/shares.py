"""Shares of bounded rooms by owner, and the queues before them. Most owners are accounts. Asked by gateway and bridge.

An owner may hold at most `greed` times what is free (a dynamic threshold: Choudhury and Hahne, 1998). With GREED one
alone gets four fifths of a room, two get four ninths each; with a greed of one, half and a third. Something is always
free for who comes next. Nothing that was given is ever taken back, and no share is kept for who may never come.
"""

import asyncio
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic
from typing import Any, Generic, TypeVar

GREED = 4  # one alone leaves a fifth free: a room is made that much larger than one alone needs
NEWCOMER = object()  # an owner that holds nothing
T = TypeVar("T")


class QueueFull(Exception):
    """Too many wait already, or too many of this owner's."""


def room_for(alone: int) -> int:
    """Return how large a room must be in which one owner alone may hold `alone` places."""
    return -(-alone * (GREED + 1) // GREED)


class Held:
    """Who holds how many of a room's places. An owner that holds none is in `by_owner` no more. Thread-safe.

    Whoever holds no more than `few` with what it asks for gets it while there is any.
    """

    def __init__(self, total: int, *, greed: int = GREED, few: int = 1) -> None:
        self.total = total
        self.count = 0
        self.by_owner: Counter[Any] = Counter()
        self._greed = greed
        self._few = few
        self._lock = threading.Lock()

    def more(self, owner: Hashable = NEWCOMER) -> int:
        """Return how many more places this owner may take."""
        free, own = self.total - self.count, self.by_owner.get(owner, 0)
        return max(0, (self._greed * free - own) // (self._greed + 1), min(free, self._few - own))

    def take(self, owner: Hashable, count: int = 1) -> bool:
        """Take places, which `give_back` returns; False when this owner gets them not now."""
        with self._lock:
            fits = count <= self.more(owner)
            if fits:
                self._add(owner, count)
            return fits

    def give_back(self, owner: Hashable, count: int = 1) -> None:
        self.add(owner, -count)

    def add(self, owner: Hashable, count: int = 1) -> None:
        """Count places that were taken elsewhere, by what `more` had said; a negative count gives them back."""
        with self._lock:
            self._add(owner, count)

    def _add(self, owner: Hashable, count: int) -> None:
        self.count += count
        self.by_owner[owner] += count
        if not self.by_owner[owner]:
            del self.by_owner[owner]


class Line(Generic[T]):
    """What waits for one of `places`: owners take turns, and none has more places than its share. Not thread-safe.

    One owner alone may have half of those who wait.
    """

    def __init__(self, places: int, most_waiting: int) -> None:
        self.held = Held(places)
        self.waiting = Held(most_waiting, greed=1)
        self.by_owner: OrderedDict[Hashable, deque[T]] = OrderedDict()

    def join(self, owner: Hashable, one: T) -> None:
        """Stand behind the owner's others. Raises QueueFull."""
        if not self.waiting.take(owner):
            raise QueueFull
        self.by_owner.setdefault(owner, deque()).append(one)

    def may_take(self) -> bool:
        """Whether `take` would return something."""
        return self._next() is not NEWCOMER

    def take(self) -> tuple[Any, T] | None:
        """Return whose turn it is, and what; it has a place until `leave`. None when nobody may have one now."""
        owner = self._next()
        if owner is NEWCOMER:
            return None
        one = self.by_owner[owner].popleft()
        self.by_owner.move_to_end(owner)
        self._gone(owner)
        self.held.add(owner)
        return owner, one

    def leave(self, owner: Hashable) -> None:
        self.held.give_back(owner)

    def withdraw(self, owner: Hashable, one: T) -> None:
        """Let what waits wait no longer."""
        self.by_owner[owner].remove(one)
        self._gone(owner)

    def clear(self) -> None:
        self.by_owner.clear()
        self.waiting = Held(self.waiting.total, greed=1)

    def _next(self) -> Any:
        return next((owner for owner in self.by_owner if self.held.more(owner) > 0), NEWCOMER)

    def _gone(self, owner: Hashable) -> None:
        self.waiting.give_back(owner)
        if not self.by_owner[owner]:
            del self.by_owner[owner]


class Queue:
    """A line of threads."""

    def __init__(self, places: int, most_waiting: int) -> None:
        self._line: Line[_Ticket] = Line(places, most_waiting)
        self._full_at = float("-inf")
        self._lock = threading.Lock()

    def enter(self, owner: Hashable, timeout_s: float) -> bool:
        """Take a place, which `leave` gives to the next; False when none came free in time. Raises QueueFull."""
        ticket = _Ticket()
        with self._lock:
            if self._line.waiting.more() < 1:
                self._full_at = monotonic()
            self._line.join(owner, ticket)
            self._let_in()
        if ticket.granted.wait(timeout_s):
            return True
        with self._lock:
            if not ticket.granted.is_set():
                self._line.withdraw(owner, ticket)
            return ticket.granted.is_set()

    @contextmanager
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
            self._line.leave(owner)
            self._let_in()

    @property
    def waiting(self) -> int:
        return self._line.waiting.count

    def stuck_s(self) -> float:
        """How long somebody waits by now who holds no place; whoever holds some waits for what it does itself."""
        with self._lock:
            now, held = monotonic(), self._line.held.by_owner
            newcomers = (tickets[0].since for owner, tickets in self._line.by_owner.items() if owner not in held)
            return now - min(newcomers, default=now)

    def full_s_ago(self) -> float:
        """When somebody was refused last because of others; not who had taken its own share."""
        return monotonic() - self._full_at

    def _let_in(self) -> None:
        while turn := self._line.take():
            turn[1].granted.set()


class _Ticket:
    def __init__(self) -> None:
        self.since = monotonic()
        self.granted = threading.Event()


class TaskQueue:
    """A line of tasks in one loop."""

    def __init__(self, places: int, most_waiting: int) -> None:
        self._line: Line[asyncio.Future[None]] = Line(places, most_waiting)

    @asynccontextmanager
    async def place(self, owner: Hashable) -> AsyncIterator[None]:
        """Wait for a place and hold it; who waits bounds that by a timeout around it. Raises QueueFull."""
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.join(owner, granted)
        self._let_in()
        try:
            await granted
            yield
        finally:
            if granted.cancelled() and granted in self._line.by_owner.get(owner, ()):
                self._line.withdraw(owner, granted)
            else:
                self._line.leave(owner)
            self._let_in()

    def _let_in(self) -> None:
        while turn := self._line.take():
            if not turn[1].done():  # else who waited has given up, and is about to leave
                turn[1].set_result(None)
