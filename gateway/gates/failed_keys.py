"""Limit of wrong keys that one address may present. Part of the API key gate."""

from collections.abc import Callable

from flask import request

from gateway.errors import TooManyFailedKeys
from gateway.fairness.limit_storage import Bucket, LimitStorage

WINDOW_S = 60


class FailedKeys:
    """Counts per client address. A valid key is never held up by it: the address may be that of a load balancer."""

    def __init__(self, storage: Callable[[], LimitStorage], *, per_min: int) -> None:
        self._storage = storage
        self._per_min = per_min

    def count(self) -> None:
        """Note one failure; raise TooManyFailedKeys when it was one too many."""
        address = request.remote_addr or "unknown"
        for window in self._storage().take([Bucket("failed-keys", address, self._per_min, WINDOW_S)]):
            if window.is_full:
                detail = f"Wait {window.wait_s} s, or send a valid API key."
                raise TooManyFailedKeys(detail, headers={"Retry-After": str(window.wait_s)})
