"""Shares of places, and the queues before them, for threads and for tasks."""

import asyncio
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_bridge.shared.shares import Held, Line, Queue, QueueFull, TaskQueue
from tests.waiting import wait_for


def test_one_owner_takes_half_and_no_more() -> None:
    """However often it asks; what it gives back it may take again."""
    shares = Held(64, greed=1)
    assert sum(shares.take("noisy") for _ in range(200)) == 32
    shares.give_back("noisy")
    assert (shares.take("noisy"), shares.take("noisy")) == (True, False)


def test_the_last_quarter_is_for_those_who_hold_few() -> None:
    """Two greedy owners leave a place for each of sixteen others."""
    shares = Held(64, greed=1)
    assert sum(shares.take(name) for name in ("first", "second") for _ in range(64)) == 48
    assert [shares.take(number) for number in range(17)] == [True] * 16 + [False]
    assert shares.count == 64


def test_a_newcomer_is_next_but_one() -> None:
    """One request of a neighbour passes a hundred of an account that has the place."""
    queue = Queue(1, 400)
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
    queue = Queue(1, 4)
    with ThreadPoolExecutor(1) as pool, queue.place(None, 0):
        waiting = pool.submit(queue.enter, None, 10)
        wait_for(lambda: queue.waiting == 1, "one to wait")
        queue.leave(None)
        assert waiting.result(5)


def test_some_places_are_never_one_owners() -> None:
    """What one account does with a store that does not answer holds up itself."""
    queue = Queue(8, 400)
    assert [queue.enter("noisy", 0) for _ in range(7)] == [True] * 6 + [False]
    assert [queue.enter(name, 0) for name in ("neighbour", "another")] == [True, True]
    assert not queue.enter("third", 0)
    queue.leave("neighbour")
    assert not queue.enter("noisy", 0)
    assert queue.enter("third", 0)


def test_a_crowd_takes_no_more_than_three_turns_before_a_neighbour() -> None:
    """Counted in turns and not in time; whoever stood in line behind the crowd would wait for ninety."""
    queue = Queue(2, 400)
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
    queue = Queue(1, 4)
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
    queue = Queue(1, 4)
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
    queue = Queue(1, 4)
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


def test_a_crowd_of_one_leaves_turns_to_others() -> None:
    """However many of one key wait, it holds no more than its share, and the next of another key is not behind them."""
    order: list[str] = []

    async def work(turns: TaskQueue, key: str) -> None:
        async with turns.place(key):
            order.append(key)
            await asyncio.sleep(0)

    async def scenario() -> None:
        turns = TaskQueue(3, 200)
        crowd = [asyncio.create_task(work(turns, "crowd")) for _ in range(50)]
        await asyncio.sleep(0)
        await work(turns, "single")
        await asyncio.gather(*crowd)

    asyncio.run(scenario())
    assert order.index("single") <= 3
    assert (order.count("crowd"), len(order)) == (50, 51)


@pytest.mark.parametrize("holding", [True, False])
def test_who_gives_up_leaves_no_hole(holding: bool) -> None:
    """A turn that is cancelled, while it waits or while it is held, comes back."""

    async def scenario() -> None:
        turns = TaskQueue(1, 8)
        release = asyncio.Event()

        async def work() -> None:
            async with turns.place("a"):
                await release.wait()

        tasks = [asyncio.create_task(work()) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0 if holding else 1].cancel()
        await asyncio.gather(tasks[0 if holding else 1], return_exceptions=True)
        release.set()
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks, return_exceptions=True)
            assert (turns._line.held.count, turns._line.waiting.count) == (0, 0)
            async with turns.place("b"):
                assert turns._line.held.count == 1

    asyncio.run(scenario())


def test_owners_take_turns() -> None:
    """Four hundred of one account wait; every second turn is the neighbour's."""
    line: Line[int] = Line(625, 2_000)
    for number in range(400):
        line.join("hog", number)
    for number in range(4):
        line.join("neighbour", number)
    turns = [turn for turn in (line.take() for _ in range(8)) if turn]
    assert turns == [(owner, number) for number in range(4) for owner in ("hog", "neighbour")]


def test_one_alone_leaves_room_for_who_comes_next() -> None:
    """It stops at its share; the next one begins at once, and what is done gives the place back."""
    line: Line[int] = Line(625, 2_000)
    for number in range(700):
        line.join("hog", number)
    assert len(list(iter(line.take, None))) == 500
    for number in range(10):
        line.join("neighbour", number)
    assert [turn[0] for turn in iter(line.take, None)] == ["neighbour"] * 10
    for _ in range(50):
        line.leave("hog")
    assert line.take() == ("hog", 500)
    assert line.waiting.count == 199


@given(total=st.integers(1, 2_000), greed=st.integers(1, 4), wishes=st.lists(st.integers(0, 2_000), max_size=8))
def test_shares_never_overfill_and_leave_room(total: int, greed: int, wishes: list[int]) -> None:
    """However many want however much, in whatever order: nobody takes more than its share, and the sum fits."""
    held = Held(total, greed=greed)
    for owner, wish in [*enumerate(wishes), *enumerate(wishes)]:
        if granted := min(wish, held.more(owner)):
            held.add(owner, granted)
            own = held.by_owner[owner]
            assert own <= max(1, greed * (total - held.count))
    assert held.count <= total
    assert (held.more() > 0) == (held.count < total)
