"""Shares of a bounded room by account, so that nobody fills it. Pure; asked by queues before they let somebody in.

An account may hold at most GREED times what is free (a dynamic threshold: Choudhury and Hahne, 1998). One alone gets
four fifths of a room, two get four ninths each, ten get four forty-firsts; something is always free for who comes next.
Nothing that was given is ever taken back, and no share is kept for who may never come.
"""

from collections import Counter
from collections.abc import Hashable
from typing import Any

GREED = 4  # one alone leaves a fifth free: a room is made that much larger than one alone needs


def more(total: int, held: int, own: int) -> int:
    """Return how many more places of `total` somebody may take who has `own` of the `held` ones."""
    free = total - held
    return max(0, (GREED * free - own) // (GREED + 1))


def room_for(alone: int) -> int:
    """Return how large a room must be in which one account alone may hold `alone` places."""
    return -(-alone * (GREED + 1) // GREED)


class Held:
    """Who holds how many of a room's places. An owner that holds none is in `by_owner` no more."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.count = 0
        self.by_owner: Counter[Any] = Counter()

    def add(self, owner: Hashable, count: int = 1) -> None:
        """Take places, or give them back for a negative count; asking `more` before is the caller's part."""
        self.count += count
        self.by_owner[owner] += count
        if not self.by_owner[owner]:
            del self.by_owner[owner]

    def more(self, owner: Hashable = None) -> int:
        """Return how many more this owner may take; without one, how many somebody who holds none."""
        return more(self.total, self.count, self.by_owner.get(owner, 0))
