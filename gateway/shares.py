"""Places that owners share: nobody takes them all, and who holds none finds one. Thread-safe."""

import threading
from collections import Counter
from collections.abc import Hashable


class Shares:
    """One owner has at most half of the places; the last quarter is for those who hold few.

    Half, because a deployment with one large customer should not need another setting; the reserve, because with two
    of them there would be nothing left.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._most = max(1, capacity // 2)
        self._reserve = capacity // 4
        self._few = max(1, capacity // 64)
        self._held: Counter[Hashable] = Counter()
        self._total = 0
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        return self._total

    def take(self, owner: Hashable) -> bool:
        """Take a place, which `give_back` returns; False when this owner gets none now."""
        with self._lock:
            held, free = self._held[owner], self._capacity - self._total
            fits = held < self._most and free > (0 if held < self._few else self._reserve)
            if fits:
                self._held[owner] += 1
                self._total += 1
            elif not held:
                del self._held[owner]
            return fits

    def give_back(self, owner: Hashable) -> None:
        with self._lock:
            self._total -= 1
            self._held[owner] -= 1
            if not self._held[owner]:
                del self._held[owner]
