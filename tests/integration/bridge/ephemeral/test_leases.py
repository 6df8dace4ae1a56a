"""Presence as leases: present is who holds any, on whatever side."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from redis.asyncio import Redis

from realtime_bridge.ephemeral.presence import LEASE_S, Leases, MemoryLeases, RedisLeases

ANN = UUID(int=1)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


Check = Callable[[Leases, Clock], Awaitable[None]]


def run_in_memory(check: Check) -> None:
    clock = Clock()
    asyncio.run(check(MemoryLeases(clock), clock))  # type: ignore[arg-type]


def run_in_redis(check: Check, redis_url: str) -> None:
    async def run() -> None:
        clock = Clock()
        redis = Redis.from_url(redis_url)
        try:
            await redis.flushdb()
            await check(RedisLeases(redis, clock), clock)
        finally:
            await redis.aclose()

    asyncio.run(run())


def run_without_redis(check: Check) -> None:
    run_in_redis_at = "unix:///nowhere/redis.sock"

    async def run() -> None:
        clock = Clock()
        redis = Redis.from_url(run_in_redis_at)
        await check(RedisLeases(redis, clock), clock)
        await redis.aclose()

    asyncio.run(run())


async def changing_sides_does_not_flicker(leases: Leases, clock: Clock) -> None:
    assert await leases.hold(1, ANN, "legacy:a")
    assert not await leases.hold(1, ANN, "supabase:a")
    assert not await leases.release(1, ANN, "legacy:a")
    assert await leases.people(1) == {ANN}
    assert await leases.release(1, ANN, "supabase:a")
    assert not await leases.release(1, ANN, "supabase:a")
    assert await leases.people(1) == frozenset()


async def a_lease_ends_by_itself(leases: Leases, clock: Clock) -> None:
    await leases.hold(1, ANN, "legacy:killed")
    clock.now += LEASE_S / 2
    await leases.hold(2, ANN, "legacy:killed")
    clock.now += LEASE_S / 2 + 1
    assert await leases.people(1) == frozenset()
    assert await leases.people(2) == {ANN}
    assert await leases.hold(1, ANN, "legacy:b")


@pytest.mark.parametrize("check", [changing_sides_does_not_flicker, a_lease_ends_by_itself])
def test_leases(check: Check, redis_url: str) -> None:
    """The same holds in memory, in Redis, and while Redis is away."""
    run_in_memory(check)
    run_in_redis(check, redis_url)
    run_without_redis(check)
