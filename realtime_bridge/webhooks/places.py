"""What a sender has in hand, and what it has room for. Pure; asked by the sender before each claim.

A delivery has a place from its claim until its result is written: waiting for its turn, under way, or done. More are in
hand than under way, so that the next ones are here while results are being written.
"""

import time
from collections import Counter
from collections.abc import Iterable

from realtime_bridge.webhooks.deliveries import Claimed, Room
from realtime_bridge.webhooks.schedule import Lane

REQUESTS = 500  # under way at once; fifty endpoints that hang with all their ten slots are still no stop
IN_HAND = 3 * REQUESTS
LATE = REQUESTS // 3  # of the late lane: first attempts never wait behind old retries
BATCH = 500  # deliveries a claim: its cost is by endpoint, so fewer and larger ones are cheaper


class Places:
    """Counts by delivery, endpoint and lane."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], tuple[Claimed, float]] = {}
        self._of_endpoint: Counter[int] = Counter()
        self._most: dict[int, int] = {}
        self._late = 0

    def __len__(self) -> int:
        return len(self._held)

    def take(self, claimed: Iterable[Claimed]) -> None:
        now = time.monotonic()
        for delivery in claimed:
            self._held[delivery.claim] = (delivery, now)
            self._of_endpoint[delivery.webhook_id] += 1
            self._most[delivery.webhook_id] = delivery.max_in_flight
            self._late += delivery.lane == Lane.LATE

    def give_back(self, written: Iterable[Claimed]) -> None:
        for delivery in written:
            self._held.pop(delivery.claim, None)
            self._late -= delivery.lane == Lane.LATE
            self._of_endpoint[delivery.webhook_id] -= 1
            if self._of_endpoint[delivery.webhook_id] <= 0:
                del self._of_endpoint[delivery.webhook_id]
                del self._most[delivery.webhook_id]

    def room(self) -> Room:
        slots = min(IN_HAND - len(self._held), BATCH)
        late = LATE - self._late
        full = [webhook_id for webhook_id, count in self._of_endpoint.items() if count >= self._most[webhook_id]]
        return Room(slots=slots, late_slots=max(0, min(slots, late)), full=full)

    def older_than(self, age_s: float) -> list[Claimed]:
        """Return what has been in hand for longer, or all of it for 0."""
        before = time.monotonic() - age_s
        return [delivery for delivery, since in self._held.values() if since <= before]
