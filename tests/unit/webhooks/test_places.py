"""What a sender has in hand never exceeds its bounds, and an endpoint that has enough is not asked for more."""

from dataclasses import replace

from realtime_bridge.shared import shares
from realtime_bridge.webhooks.contract.outcomes import Lane
from realtime_bridge.webhooks.places import BATCH, HAND_BYTES, IN_HAND, LATE, Places
from realtime_bridge.webhooks.queue.deliveries import Claimed
from tests.taken_deliveries import ACCOUNT, delivery


def claimed(count: int, *, webhook_id: int = 1, lane: Lane = Lane.EARLY, first: int = 0) -> list[Claimed]:
    one = replace(delivery(), webhook_id=webhook_id, lane=int(lane), max_in_flight=3)
    return [replace(one, id=first + number) for number in range(count)]


def test_the_room_is_what_is_left() -> None:
    """A batch at first, nothing when the hands are full, and all of it again when everything is written."""
    places = Places()
    assert places.room().slots == BATCH
    taken = claimed(IN_HAND)
    places.take(taken)
    assert places.room().slots == 0
    places.give_back(taken)
    assert (places.room().slots, len(places)) == (BATCH, 0)


def test_an_account_has_its_share_and_leaves_room_for_others() -> None:
    """The share shrinks with what is free; with a full hand nobody is offered anything that is not there."""
    places = Places()
    assert places.room().newcomer.slots == shares.Held(IN_HAND).more() == 1_500
    places.take(claimed(1_500))
    room = places.room()
    assert (room.shares[ACCOUNT].slots, room.newcomer.slots) == (0, 300)
    assert 0 < room.newcomer.slots <= room.slots
    places.give_back(claimed(1_500))
    assert places.room().shares == {}


def test_the_late_lane_has_its_share_and_no_more() -> None:
    """However many old retries are due, the rest is kept for first attempts."""
    places = Places()
    places.take(claimed(LATE, lane=Lane.LATE))
    assert places.room().late_slots == 0
    assert places.room().slots > 0


def test_an_endpoint_is_full_at_its_own_limit() -> None:
    """By what this sender has in hand of it; a second claim of the same delivery counts by itself."""
    places = Places()
    places.take(claimed(2) + claimed(1, webhook_id=2))
    assert list(places.room().full) == []
    again = [replace(one, fence=2) for one in claimed(1)]
    places.take(again)
    assert list(places.room().full) == [1]
    places.give_back(again)
    assert list(places.room().full) == []


def test_what_is_old_is_found_for_renewal() -> None:
    """Nothing that came just now; all of it when a sender gives everything back."""
    places = Places()
    places.take(claimed(3))
    assert places.older_than(60.0) == []
    assert len(places.older_than(0.0)) == 3


def test_bodies_are_bounded_by_account() -> None:
    """Who has large ones in hand is asked for no more; who has none is."""
    places = Places()
    large = [replace(one, body=b"x" * (HAND_BYTES // 10)) for one in claimed(8)]
    places.take(large)
    room = places.room()
    assert (room.shares[ACCOUNT].slots, room.newcomer.slots > 0) == (0, True)
    places.give_back(large[:2])
    assert places.room().shares[ACCOUNT].slots > 0
