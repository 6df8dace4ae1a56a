"""Shares of places, and the queue in which who holds least is next."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.fair_queue import FairQueue, QueueFull
from gateway.shares import Shares
from tests.waiting import wait_for


def test_one_owner_takes_half_and_no_more() -> None:
    """However often it asks; what it gives back it may take again."""
    shares = Shares(64)
    assert sum(shares.take("noisy") for _ in range(200)) == 32
    shares.give_back("noisy")
    assert (shares.take("noisy"), shares.take("noisy")) == (True, False)


def test_the_last_quarter_is_for_those_who_hold_few() -> None:
    """Two greedy owners leave a place for each of sixteen others."""
    shares = Shares(64)
    assert sum(shares.take(name) for name in ("first", "second") for _ in range(64)) == 48
    assert [shares.take(number) for number in range(17)] == [True] * 16 + [False]
    assert shares.total == 64


def test_whoever_holds_least_is_next() -> None:
    """One request of a neighbour passes a hundred of an account that has the place."""
    queue = FairQueue(1, 400)
    order: list[str] = []
    assert queue.enter("noisy", 0)

    def come(owner: str) -> None:
        assert queue.enter(owner, 10)
        order.append(owner)
        queue.leave(owner)

    with ThreadPoolExecutor(101) as pool:
        crowd = [pool.submit(come, "noisy") for _ in range(100)]
        wait_for(lambda: queue.waiting == 100, "the crowd to queue")
        neighbour = pool.submit(come, "neighbour")
        wait_for(lambda: queue.waiting == 101, "the neighbour to queue")
        queue.leave("noisy")
        for one in (*crowd, neighbour):
            one.result(10)
    assert "neighbour" in order[:2]
    assert queue.waiting == 0


def test_nobody_in_particular_is_next_too() -> None:
    """Those who have no account wait under None, like the pages that are for everybody."""
    queue = FairQueue(1, 4)
    with ThreadPoolExecutor(1) as pool, queue.place(None, 0):
        waiting = pool.submit(queue.enter, None, 10)
        wait_for(lambda: queue.waiting == 1, "one to wait")
        queue.leave(None)
        assert waiting.result(5)


def test_some_places_are_never_one_owners() -> None:
    """What one account does with a store that does not answer holds up itself."""
    queue = FairQueue(8, 400)
    assert [queue.enter("noisy", 0) for _ in range(7)] == [True] * 6 + [False]
    assert [queue.enter(name, 0) for name in ("neighbour", "another")] == [True, True]
    assert not queue.enter("third", 0)
    queue.leave("neighbour")
    assert not queue.enter("noisy", 0)
    assert queue.enter("third", 0)


def test_a_crowd_takes_no_more_than_three_turns_before_a_neighbour() -> None:
    """Counted in turns and not in time; whoever stood in line behind the crowd would wait for ninety."""
    queue = FairQueue(2, 400)
    stop = threading.Event()
    turns = itertools.count()

    def crowd() -> None:
        while not stop.is_set():
            assert queue.enter("noisy", 30)
            next(turns)
            stop.wait(0.005)
            queue.leave("noisy")

    def passed_by() -> int:
        before = next(turns)
        assert queue.enter("neighbour", 30)
        passed = next(turns) - before - 1
        queue.leave("neighbour")
        return passed

    with ThreadPoolExecutor(100) as pool:
        for _ in range(100):
            pool.submit(crowd)
        wait_for(lambda: queue.waiting > 90, "the crowd to queue")
        try:
            passed = sorted(passed_by() for _ in range(60))
        finally:
            stop.set()
    assert passed[-2] <= 3 * 2, passed


def test_a_queue_has_an_end() -> None:
    """One owner's half of it; whoever waited in vain leaves no trace."""
    queue = FairQueue(1, 4)
    assert queue.enter("works", 0)
    gone = threading.Event()

    def wait_in_vain() -> bool:
        entered = queue.enter("noisy", 0.2)
        gone.wait(10)
        return entered

    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(wait_in_vain) for _ in range(2)]
        wait_for(lambda: queue.waiting == 2, "two to wait")
        with pytest.raises(QueueFull):
            queue.enter("noisy", 0)
        wait_for(lambda: queue.waiting == 0, "their patience to end")
        gone.set()
        assert [one.result(10) for one in waiting] == [False, False]
    queue.leave("works")
    assert queue.enter("noisy", 0)


def test_one_owners_crowd_does_not_make_a_queue_full() -> None:
    """What is refused beyond its share, and what waits while it works, is its own affair; a newcomer's wait is not."""
    queue = FairQueue(1, 4)
    with ThreadPoolExecutor(3) as pool:
        assert queue.enter("noisy", 0)
        waiting = [pool.submit(queue.enter, "noisy", 10) for _ in range(2)]
        wait_for(lambda: queue.waiting == 2, "its share to be taken")
        with pytest.raises(QueueFull):
            queue.enter("noisy", 0)
        assert queue.full_s_ago() == float("inf")
        assert queue.stuck_s() == 0
        newcomer = pool.submit(queue.enter, "newcomer", 10)
        wait_for(lambda: queue.stuck_s() > 0, "the newcomer to wait")
        for owner in ("noisy", "newcomer", "noisy"):
            queue.leave(owner)
        assert [one.result(10) for one in (*waiting, newcomer)] == [True] * 3


def test_a_crowd_of_many_owners_makes_a_queue_full() -> None:
    """Whoever comes then is refused, whoever it is."""
    queue = FairQueue(1, 4)
    with ThreadPoolExecutor(4) as pool:
        assert queue.enter("works", 0)
        waiting = [pool.submit(queue.enter, number, 10) for number in range(4)]
        wait_for(lambda: queue.waiting == 4, "all places to be taken")
        with pytest.raises(QueueFull):
            queue.enter("newcomer", 0)
        assert queue.full_s_ago() < 10
        queue.leave("works")
        for number, one in enumerate(waiting):
            assert one.result(10)
            queue.leave(number)
