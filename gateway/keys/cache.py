"""Keys that a worker knows. Filled by the gate and by `KeySync`; never asks the database itself.

The promise: a state that was read by a query begun at t is used for less than TRUST_S after t. So whatever is revoked
or changed stops working within TRUST_S of its commit in every worker, whatever else fails.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from uuid import UUID

from gateway.domain.keys import ApiKey

TRUST_S = 0.9  # below the promised second, by what a request may take from here to its statement
CAPACITY = 5_000  # keys; re-reading that many takes about 20 ms
IDLE_S = 60.0  # a key nobody uses is not worth re-reading twice a second


@dataclass(slots=True)
class _Entry:
    key: ApiKey
    read_at: float  # when the query that read it began
    used_at: float


class KeyCache:
    """Bounded, least recently used first out. Thread-safe."""

    def __init__(self, *, clock: Callable[[], float] = monotonic, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._used: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def find(self, key_id: str) -> ApiKey | None:
        """Return the key if what we know of it is younger than TRUST_S."""
        now = self._clock()
        with self._lock:
            entry = self._entries.get(key_id)
            if entry is None or now - entry.read_at >= TRUST_S:
                return None
            entry.used_at = now
            self._entries.move_to_end(key_id)
            return entry.key

    def find_account(self, key_id: str) -> UUID | None:
        """Return whose key it was when it was read last, however long ago: it may stand in line with its account's."""
        with self._lock:
            entry = self._entries.get(key_id)
            return entry.key.account_id if entry else None

    def store(self, key: ApiKey, *, read_at: float) -> None:
        """Remember what a query that began at `read_at` returned; older news never replaces newer."""
        with self._lock:
            known = self._entries.get(key.id)
            if known is None:
                self._entries[key.id] = _Entry(key, read_at, self._clock())
            elif known.read_at <= read_at:
                known.key, known.read_at = key, read_at
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)

    def replace(self, asked: Iterable[str], found: Iterable[ApiKey], *, read_at: float) -> None:
        """Take in an answer about all of `asked`: what is not in `found` no longer exists."""
        found_by_id = {key.id: key for key in found}
        with self._lock:
            for key_id in asked:
                entry = self._entries.get(key_id)
                if entry is None or entry.read_at > read_at:
                    continue
                if (key := found_by_id.get(key_id)) is None:
                    del self._entries[key_id]
                else:
                    entry.key, entry.read_at = key, read_at

    def ids(self) -> list[str]:
        """Return the keys worth re-reading, after dropping those that nobody has used for IDLE_S."""
        oldest = self._clock() - IDLE_S
        with self._lock:
            while self._entries and next(iter(self._entries.values())).used_at < oldest:
                self._entries.popitem(last=False)
            return list(self._entries)

    def mark_used(self, key_id: str) -> None:
        """Note the use for a later, batched `last_used_at`."""
        with self._lock:
            self._used[key_id] = datetime.now(UTC)

    def take_used(self) -> dict[str, datetime]:
        with self._lock:
            used, self._used = self._used, {}
            return used

    def put_back_used(self, used: dict[str, datetime]) -> None:
        """After a failed write: keep what was taken, unless there is newer use or far too much."""
        with self._lock:
            if len(self._used) < self._capacity:
                self._used = {**used, **self._used}
