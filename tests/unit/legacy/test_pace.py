"""Paces: nobody takes faster than the rate, after a burst."""

import asyncio
from collections.abc import Hashable

from realtime_bridge.legacy.pace import REMEMBERED, Pace


async def takes(pace: Pace, key: Hashable, amount: float, within_s: float = 0.0) -> bool:
    return await pace.take(key, amount, within_s=within_s)


def test_a_burst_and_then_a_rate() -> None:
    """What is not had at once is refused without being taken; time gives it back; another key has its own."""
    now = 0.0
    pace = Pace(per_s=2, burst=4, clock=lambda: now)

    async def scenario() -> None:
        nonlocal now
        assert [await takes(pace, "a", 1) for _ in range(5)] == [True] * 4 + [False]
        assert await takes(pace, "b", 4)
        now = 0.5
        assert [await takes(pace, "a", 1) for _ in range(2)] == [True, False]
        now = 100.0
        assert [await takes(pace, "a", 1) for _ in range(5)] == [True] * 4 + [False]

    asyncio.run(scenario())


def test_more_than_a_burst_goes_when_the_bucket_is_full() -> None:
    """A single thing that is larger than the burst is not refused for ever, and is waited for afterwards."""
    now = 0.0
    pace = Pace(per_s=10, burst=5, clock=lambda: now)

    async def scenario() -> None:
        nonlocal now
        assert await takes(pace, "a", 20)
        assert not await takes(pace, "a", 1)
        now = 1.5
        assert not await takes(pace, "a", 1)
        now = 1.6
        assert await takes(pace, "a", 1)

    asyncio.run(scenario())


def test_waiting_is_part_of_taking() -> None:
    """Who may wait is let through later, in the order of asking, and the whole takes as long as the rate says."""

    async def scenario() -> list[bool]:
        pace = Pace(per_s=1_000, burst=1)
        return await asyncio.gather(*(takes(pace, "a", 1, within_s=1) for _ in range(20)))

    assert asyncio.run(scenario()) == [True] * 20


def test_memory_of_takers_is_bounded() -> None:
    """Ever new keys do not grow without end."""
    pace = Pace(per_s=1, burst=1)

    async def scenario() -> None:
        for key in range(REMEMBERED + 10):
            assert await takes(pace, key, 1)

    asyncio.run(scenario())
    assert len(pace._full_at) == REMEMBERED
