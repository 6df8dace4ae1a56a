"""Presence in a conversation: leases that somebody on some side renews. Present is who holds any.

A user who changes sides holds two leases for a moment, so leaving the first does not make them flicker. What is not
renewed ends by itself: nobody has to notice that a bridge was killed.
"""

import time
from collections.abc import Callable
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

LEASE_S = 45.0
RENEW_S = LEASE_S / 2
TIMEOUT_S = 0.5  # presence is a hint: better from memory than late


class MemoryLeases:
    """For a bridge that is alone. Raises nothing. `holder` names a side of a bridge."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._until: dict[int, dict[tuple[UUID, str], float]] = {}

    async def hold(self, conversation_id: int, user_id: UUID, holder: str) -> bool:
        """Take or renew a lease; True when the user was not present before."""
        was_present = user_id in await self.people(conversation_id)
        self._until.setdefault(conversation_id, {})[user_id, holder] = self._clock() + LEASE_S
        return not was_present

    async def release(self, conversation_id: int, user_id: UUID, holder: str) -> bool:
        """Give a lease back; True when the user is no longer present."""
        held = self._until.get(conversation_id, {}).pop((user_id, holder), None)
        return held is not None and user_id not in await self.people(conversation_id)

    async def people(self, conversation_id: int) -> frozenset[UUID]:
        """Return who is present."""
        now = self._clock()
        live = {key: until for key, until in self._until.get(conversation_id, {}).items() if until > now}
        if live:
            self._until[conversation_id] = live
        else:
            self._until.pop(conversation_id, None)
        return frozenset(user_id for user_id, _ in live)


class RedisLeases:
    """For bridges that share a Redis: a sorted set for each conversation, scored by when the lease ends.

    While Redis is away, this bridge answers from what it holds itself.
    """

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock
        self._own = MemoryLeases(clock)

    async def hold(self, conversation_id: int, user_id: UUID, holder: str) -> bool:
        is_new = await self._own.hold(conversation_id, user_id, holder)
        try:
            before = await self._read(conversation_id)
            key = _key(conversation_id)
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.zadd(key, {f"{user_id}|{holder}": self._clock() + LEASE_S})
                pipe.expire(key, int(2 * LEASE_S))
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            log.info("presence from memory", error=str(error))
            return is_new
        return user_id not in before

    async def release(self, conversation_id: int, user_id: UUID, holder: str) -> bool:
        has_gone = await self._own.release(conversation_id, user_id, holder)
        try:
            removed = await self._redis.zrem(_key(conversation_id), f"{user_id}|{holder}")
            return bool(removed) and user_id not in await self._read(conversation_id)
        except (RedisError, OSError, TimeoutError) as error:
            log.info("presence from memory", error=str(error))
            return has_gone

    async def people(self, conversation_id: int) -> frozenset[UUID]:
        try:
            return await self._read(conversation_id)
        except (RedisError, OSError, TimeoutError):
            return await self._own.people(conversation_id)

    async def _read(self, conversation_id: int) -> frozenset[UUID]:
        key = _key(conversation_id)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zremrangebyscore(key, "-inf", self._clock())
            pipe.zrange(key, 0, -1)
            _, members = await pipe.execute()
        return frozenset(UUID(member.decode().partition("|")[0]) for member in members)


def _key(conversation_id: int) -> str:
    return f"crossfade.presence:{conversation_id}"


Leases = MemoryLeases | RedisLeases
