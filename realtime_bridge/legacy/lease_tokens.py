"""Whose word counts on the fan-out: the holder's with the highest lease token. Asked by the fan-out for each batch.

A relay that was stopped, and goes on before it has noticed that another one took over, says what is long told.
"""

import time
from collections.abc import Callable

KEPT_S = 60.0  # without a batch of the holder; a database that was put back to an earlier state counts from lower again


class LeaseTokens:
    """The highest token heard of. `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._newest = 0
        self._heard_at = float("-inf")

    def note(self, token: int | None) -> bool:
        """Note a batch's token; False when a later holder has spoken. None: a bridge of a version without tokens."""
        if token is None:
            return True
        if self.is_stale(token):
            return False
        self._newest, self._heard_at = token, self._clock()
        return True

    def is_stale(self, token: int | None) -> bool:
        """Whether a later holder has spoken of late."""
        return token is not None and token < self._newest and self._clock() - self._heard_at < KEPT_S
