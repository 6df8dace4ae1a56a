"""The limit on writing: exact over all bridges, and nobody is kept from writing when Redis is gone."""

import asyncio
from uuid import uuid4

from realtime_bridge.legacy.message_limit import MESSAGES, REST_S, WINDOW_S, MessageLimit
from tests.integration.legacy.redis_server import RedisServer


def test_bridges_count_together(redis: RedisServer) -> None:
    """Of forty writes at once at two bridges ten are taken; another user's are not touched; later there is room."""

    async def flood() -> None:
        bridges = MessageLimit(redis.url), MessageLimit(redis.url)
        user, other = uuid4(), uuid4()
        taken = await asyncio.gather(*(bridges[number % 2].take(user) for number in range(40)))
        assert sum(taken) == MESSAGES
        assert await bridges[0].take(other)
        redis.client().delete(f"crossfade.legacy.messages:{user}")  # the window is over
        assert await bridges[1].take(user)
        for bridge in bridges:
            await bridge.close()

    asyncio.run(flood())


def test_without_redis_each_bridge_counts_for_itself(redis: RedisServer) -> None:
    """And asks again after a while: the limit is a common one again."""

    async def outage() -> None:
        now = 0.0
        limit, user = MessageLimit(redis.url, clock=lambda: now), uuid4()
        redis.kill()
        assert [await limit.take(user) for _ in range(MESSAGES + 1)] == [True] * MESSAGES + [False]
        redis.start()
        now = REST_S
        assert await limit.take(user)
        assert redis.client().zcard(f"crossfade.legacy.messages:{user}") == 1
        await limit.close()

    asyncio.run(outage())


def test_a_window_slides() -> None:
    """Ten within a second, an eleventh when the first is a second old."""

    async def write() -> None:
        now = 0.0
        limit, user = MessageLimit(None, lambda: now), uuid4()
        for number in range(MESSAGES):
            now = number / MESSAGES * WINDOW_S
            assert await limit.take(user)
        now = WINDOW_S - 0.01
        assert not await limit.take(user)
        now = WINDOW_S
        assert await limit.take(user)

    asyncio.run(write())
