"""Reach of a relay: how much of the log it takes. And how far ahead it looks for whose turn it is.

Pure; one for each relay.

A page is as large as what its sink settles within PAGE_S: an account whose event comes now waits for the page under
way, and for its own. How far ahead: past one account's burst, to those whose events stand behind it.
"""

import time
from collections.abc import Callable

from realtime_bridge.event_log.cursor import Cursor

PAGE_S = 0.05  # more, and a neighbour of somebody's burst feels it; less, and the rounds cost more than the events
FIRST = 100  # a page's events before anything is known; three pages later it is as large as it may be
LEAST = 50  # events a page, however slow the sink: each page is a read, a commit and perhaps a request
LOOK_AHEAD = 20_000  # ids of the log; a read of some 10 ms, and only while there is more than a page
LOOK_S = 0.1  # how often to look that far while it is all of one account: whoever comes next waits no longer than that
MOST_HOLES = 500  # ranges between what was settled out of turn; with more, the log is taken in its order for a while


class Reach:
    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = min(FIRST, most)
        self._most = most
        self._clock = clock
        self._look_at = 0.0

    def look_ahead(self, cursor: Cursor) -> int:
        """Return how many ids to look at before the next page."""
        if len(cursor.holes) > MOST_HOLES or self._clock() < self._look_at:
            return self.limit
        return LOOK_AHEAD

    def looked(self, ahead: int, *, is_shared: bool) -> None:
        """Note what was seen there."""
        if ahead >= LOOK_AHEAD:
            self._look_at = 0.0 if is_shared else self._clock() + LOOK_S

    def settled(self, count: int, seconds: float) -> None:
        """Note how long a page took; a page that was not full says little about the next."""
        if count >= self.limit:
            fitting = int(count * PAGE_S / max(seconds, 1e-6))
            self.limit = max(min(LEAST, self._most), min(fitting, 2 * self.limit, self._most))
