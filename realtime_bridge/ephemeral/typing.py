"""Typing, by conversation and user, and until when.

Pure; the bridge keeps one for what it heard on the Supabase side.
"""

from collections.abc import Callable
from uuid import UUID

from realtime_bridge.ephemeral.signs import TYPING_EXPIRES_S

INTERVAL_S = 1.0  # one start for each user and conversation
MAX_ENTRIES = 10_000  # beyond it the oldest sign is forgotten: its reader sees it end by itself

Key = tuple[int, UUID]


class Typing:
    """`clock` is monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started: dict[Key, float] = {}

    def start(self, conversation_id: int, user_id: UUID) -> bool:
        """Note a start; False when the last one was less than INTERVAL_S ago and nobody is to be told."""
        key, now = (conversation_id, user_id), self._clock()
        if now - self._started.get(key, float("-inf")) < INTERVAL_S:
            return False
        self._started.pop(key, None)
        self._started[key] = now
        if len(self._started) > MAX_ENTRIES:
            del self._started[next(iter(self._started))]
        return True

    def stop(self, conversation_id: int, user_id: UUID) -> bool:
        """Note a stop; False when the user was not typing."""
        return self._started.pop((conversation_id, user_id), None) is not None

    def take_expired(self) -> list[Key]:
        """Return whose sign was not renewed in time, and forget them."""
        oldest = self._clock() - TYPING_EXPIRES_S
        expired = [key for key, started in self._started.items() if started <= oldest]
        for key in expired:
            del self._started[key]
        return expired
