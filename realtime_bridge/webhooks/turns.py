"""Whose delivery is sent next: accounts take turns, none with more than its share under way. Pure; for the sender."""

from collections import OrderedDict, deque
from collections.abc import Iterable

from realtime_bridge import shares
from realtime_bridge.webhooks.deliveries import Claimed
from realtime_bridge.webhooks.endpoints import Endpoint

Turn = tuple[Claimed, Endpoint]


class Turns:
    """A queue of what is claimed, and the count of what is under way. What is taken is given back by `done`."""

    def __init__(self, total: int) -> None:
        self._under_way = shares.Held(total)
        self._waiting: OrderedDict[str, deque[Turn]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, turns: Iterable[Turn]) -> None:
        for turn in turns:
            self._waiting.setdefault(turn[0].account_id, deque()).append(turn)
            self._length += 1

    def take(self) -> Turn | None:
        """Return the next one and count it as under way; None when nobody may begin now."""
        account_id = self._next()
        if account_id is None:
            return None
        queue = self._waiting[account_id]
        turn = queue.popleft()
        if queue:
            self._waiting.move_to_end(account_id)
        else:
            del self._waiting[account_id]
        self._length -= 1
        self._under_way.add(account_id)
        return turn

    def done(self, delivery: Claimed) -> None:
        self._under_way.add(delivery.account_id, -1)

    def may_begin(self) -> bool:
        """Whether `take` would return something."""
        return self._next() is not None

    def clear(self) -> None:
        self._waiting.clear()
        self._length = 0

    def _next(self) -> str | None:
        for account_id in self._waiting:
            if self._under_way.more(account_id) > 0:
                return account_id
        return None
