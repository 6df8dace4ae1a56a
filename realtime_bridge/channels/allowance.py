"""How often something may be done: so many times within a window, so that Supabase's limits are never met. Pure."""

import time
from collections import deque
from collections.abc import Callable


class Allowance:
    """At most `most` times within any `window_s` seconds."""

    def __init__(self, most: int, window_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._clock = clock
        self._taken: deque[float] = deque(maxlen=most)

    def take(self) -> bool:
        """Return whether it may be done now, and count it if so."""
        now = self._clock()
        if len(self._taken) == self._taken.maxlen and now - self._taken[0] < self._window_s:
            return False
        self._taken.append(now)
        return True
