"""Places that owners share: nobody takes them all, and who holds none finds one. Thread-safe."""

import threading
from collections import Counter
from collections.abc import Hashable


class Shares:
    """One owner has at most half of the places; the last quarter is for those who hold few.

    Half, because a deployment with one large customer should not need another setting; the reserve, because with two
    of them there would be nothing left. Places may be anything that is counted: `few` says how many are few.
    """

    def __init__(self, capacity: int, few: int | None = None) -> None:
        self._capacity = capacity
        self._most = max(1, capacity // 2)
        self._reserve = capacity // 4
        self._few = few or max(1, capacity // 64)
        self._held: Counter[Hashable] = Counter()
        self._total = 0
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        return self._total

    @property
    def is_full(self) -> bool:
        """Whether nobody gets a place, also who holds none."""
        return self._total >= self._capacity

    def take(self, owner: Hashable, count: int = 1) -> bool:
        """Take places, which `give_back` returns; False when this owner gets them not now."""
        with self._lock:
            held, left = self._held[owner] + count, self._capacity - self._total - count
            fits = held <= self._most and left >= (0 if held <= self._few else self._reserve)
            if fits:
                self._held[owner] += count
                self._total += count
            elif not self._held[owner]:
                del self._held[owner]
            return fits

    def give_back(self, owner: Hashable, count: int = 1) -> None:
        with self._lock:
            self._total -= count
            self._held[owner] -= count
            if not self._held[owner]:
                del self._held[owner]
