"""What the ephemeral bridge has still to do: bounded, in shares by conversation, one of each in turn."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable

from realtime_bridge import shares

Work = Callable[[], Awaitable[None]]


class WorkQueue:
    """In order within a conversation; between them a neighbour waits one turn of each, however much they want.

    By conversation and not by account, which is not known before the first look: what moved from one line to another
    would overtake itself, and a user would leave before it came.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._lines: OrderedDict[int, deque[Work]] = OrderedDict()
        self._count = 0
        self._some = asyncio.Event()

    def put(self, conversation_id: int, work: Work) -> bool:
        """Take it up; False when this conversation has its share of what is left already."""
        own = len(self._lines.get(conversation_id, ()))
        if shares.more(self._places, self._count, own) < 1:
            return False
        self._lines.setdefault(conversation_id, deque()).append(work)
        self._count += 1
        self._some.set()
        return True

    async def get(self) -> Work:
        """Wait for something to do; the conversation whose turn it was then stands last."""
        await self._some.wait()
        conversation_id, line = self._lines.popitem(last=False)
        work = line.popleft()
        if line:
            self._lines[conversation_id] = line
        self._count -= 1
        if not self._count:
            self._some.clear()
        return work
