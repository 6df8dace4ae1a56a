"""Places of a sender, by account: in hand, and free. Pure; asked by the sender before each claim.

A delivery has a place from its claim until its result is written: waiting for its turn, under way, or done. More are in
hand than under way, so that the next ones are here while results are being written. No account has more than its share
of the places (shares.py): fifty endpoints that hang hold up nobody else's.
"""

import time
from collections import Counter
from collections.abc import Iterable

from realtime_bridge.shared import shares
from realtime_bridge.webhooks.contract.outcomes import Lane
from realtime_bridge.webhooks.queue.deliveries import Claimed, Room, Share

REQUESTS = shares.room_for(500)  # under way at once; one account alone, with fifty endpoints of ten slots, has 500
IN_HAND = 3 * REQUESTS
LATE = REQUESTS // 3  # of the late lane: first attempts never wait behind old retries
BATCH = 500  # deliveries a claim: its cost is by endpoint, so fewer and larger ones are cheaper
HAND_BYTES = 32_000_000  # of bodies; an account whose bodies fill its share of it is asked for no more


class Places:
    """Counts by delivery, endpoint, account and lane."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], tuple[Claimed, float]] = {}
        self._of_endpoint: Counter[int] = Counter()
        self._most: dict[int, int] = {}
        self._hand = shares.Held(IN_HAND)
        self._late = shares.Held(LATE)
        self._bytes = shares.Held(HAND_BYTES)

    def __len__(self) -> int:
        return len(self._held)

    def take(self, claimed: Iterable[Claimed]) -> None:
        now = time.monotonic()
        for delivery in claimed:
            self._held[delivery.claim] = (delivery, now)
            self._most[delivery.webhook_id] = delivery.max_in_flight
            self._of_endpoint[delivery.webhook_id] += 1
            self._count(delivery, 1)

    def give_back(self, written: Iterable[Claimed]) -> None:
        for delivery in written:
            if self._held.pop(delivery.claim, None):
                self._count(delivery, -1)
                self._of_endpoint[delivery.webhook_id] -= 1
                if not self._of_endpoint[delivery.webhook_id]:
                    del self._of_endpoint[delivery.webhook_id], self._most[delivery.webhook_id]

    def room(self) -> Room:
        slots = min(IN_HAND - len(self._held), BATCH)
        return Room(
            slots=slots,
            late_slots=max(0, min(slots, LATE - self._late.count)),
            full=[webhook_id for webhook_id, count in self._of_endpoint.items() if count >= self._most[webhook_id]],
            newcomer=self._share(None),
            shares={account_id: self._share(account_id) for account_id in self._hand.by_owner},
        )

    def older_than(self, age_s: float) -> list[Claimed]:
        """Return what has been in hand for longer, or all of it for 0."""
        before = time.monotonic() - age_s
        return [delivery for delivery, since in self._held.values() if since <= before]

    def _share(self, account_id: str | None) -> Share:
        fits = account_id not in self._bytes.by_owner or self._bytes.more(account_id) > 0
        return Share(slots=self._hand.more(account_id) if fits else 0, late_slots=self._late.more(account_id))

    def _count(self, delivery: Claimed, step: int) -> None:
        self._hand.add(delivery.account_id, step)
        self._bytes.add(delivery.account_id, step * len(delivery.body or b""))
        if delivery.lane == Lane.LATE:
            self._late.add(delivery.account_id, step)
