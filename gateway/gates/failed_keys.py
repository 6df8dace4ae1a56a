"""How often one address may present keys that are not valid. Part of the API key gate."""

from collections.abc import Callable
from math import ceil
from time import time
from typing import NoReturn

from flask import request
from limits import RateLimitItemPerMinute

from gateway.errors import TooManyFailedKeys
from gateway.limit_storage import LimitStorage

WINDOW_S = 60


class FailedKeys:
    """Counts per client address. Keys that a worker already knows are never held up by it."""

    def __init__(self, storage: Callable[[], LimitStorage], *, per_min: int) -> None:
        self._storage = storage
        self._item = RateLimitItemPerMinute(per_min)

    def check(self) -> None:
        """Raise TooManyFailedKeys when this address has used up its failures."""
        storage = self._storage()
        if storage.count(self._key(), WINDOW_S) >= self._item.amount:
            self._raise()

    def count(self) -> None:
        """Note one failure; raise TooManyFailedKeys when it was one too many."""
        if not self._storage().acquire_entry(self._key(), self._item.amount, WINDOW_S):
            self._raise()

    def _raise(self) -> NoReturn:
        began, _ = self._storage().get_moving_window(self._key(), self._item.amount, WINDOW_S)
        wait_s = max(1, ceil(began + WINDOW_S - time()))
        raise TooManyFailedKeys(f"Wait {wait_s} s, then send a valid API key.", headers={"Retry-After": str(wait_s)})

    def _key(self) -> str:
        return self._item.key_for("failed-keys", request.remote_addr or "unknown")
