"""Accounts take turns, and one that fills its share leaves room for who comes next."""

from dataclasses import replace
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from realtime_bridge import shares
from realtime_bridge.webhooks.turns import Turn, Turns
from tests.integration.webhooks.test_ssrf import delivery, endpoint

HOG, NEIGHBOUR = str(uuid4()), str(uuid4())


def turns_of(account_id: str, count: int) -> list[Turn]:
    return [(replace(delivery(), account_id=account_id, id=number), endpoint("http://x/")) for number in range(count)]


def test_a_newcomer_is_next_whatever_waits() -> None:
    """Four hundred of one account wait; every second turn is the neighbour's."""
    turns = Turns(625)
    turns.add(turns_of(HOG, 400) + turns_of(NEIGHBOUR, 4))
    first = [turn[0].account_id for turn in (turns.take() for _ in range(8)) if turn]
    assert first == [HOG, NEIGHBOUR] * 4


def test_an_account_alone_leaves_room_for_who_comes_next() -> None:
    """It stops at its share; the next one begins at once, and what is done gives the place back."""
    turns = Turns(625)
    turns.add(turns_of(HOG, 700))
    begun = []
    while turn := turns.take():
        begun.append(turn[0])
    assert len(begun) == 500
    turns.add(turns_of(NEIGHBOUR, 10))
    assert [turn[0].account_id for turn in iter(turns.take, None)] == [NEIGHBOUR] * 10
    for one in begun[:50]:
        turns.done(one)
    taken = turns.take()
    assert taken is not None
    assert taken[0].account_id == HOG
    assert len(turns) == 199


@given(total=st.integers(20, 2_000), holders=st.lists(st.integers(0, 2_000), max_size=8))
def test_shares_never_overfill_and_leave_room(total: int, holders: list[int]) -> None:
    """However many want however much, in whatever order: the sum fits, and somebody who has nothing finds a place."""
    held: list[int] = []
    for wish in holders:
        held.append(min(wish, shares.more(total, sum(held), 0)))
    for number, own in enumerate(held):
        held[number] += shares.more(total, sum(held), own)
    assert sum(held) < total
    assert len(held) > total // 20 or shares.more(total, sum(held), 0) > 0 or total - sum(held) < 3
