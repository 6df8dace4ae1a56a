"""Limit of wrong keys that one address may present. Part of the API key gate."""

from collections.abc import Callable
from math import ceil
from time import time

from flask import request
from limits import RateLimitItemPerMinute

from gateway.errors import TooManyFailedKeys
from gateway.fairness.limit_storage import LimitStorage

WINDOW_S = 60


class FailedKeys:
    """Counts per client address. A valid key is never held up by it: the address may be that of a load balancer."""

    def __init__(self, storage: Callable[[], LimitStorage], *, per_min: int) -> None:
        self._storage = storage
        self._item = RateLimitItemPerMinute(per_min)

    def count(self) -> None:
        """Note one failure; raise TooManyFailedKeys when it was one too many."""
        storage, key = self._storage(), self._item.key_for("failed-keys", request.remote_addr or "unknown")
        if storage.acquire_entry(key, self._item.amount, WINDOW_S):
            return
        began, _ = storage.get_moving_window(key, self._item.amount, WINDOW_S)
        wait_s = max(1, ceil(began + WINDOW_S - time()))
        raise TooManyFailedKeys(f"Wait {wait_s} s, or send a valid API key.", headers={"Retry-After": str(wait_s)})
