"""Trial sink: the id and type of every event, on a stream of Redis."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection
from redis.asyncio import Redis
from redis.exceptions import RedisError

from realtime_bridge.event_log.event import Event
from realtime_bridge.relay.sink import Delivery, SinkUnavailable


class TrialSink:
    name = "trial"
    transactional = False  # it goes over a network: outside of any transaction, and perhaps once more after a crash

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2)

    def resume(self) -> None:
        """Nobody has to come back before anything is sent."""

    async def deliver(self, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:  # noqa: ARG002
        try:
            async with self._redis.pipeline() as batch:  # all of them or none
                for event in events:
                    batch.xadd("trial", {"id": str(event.event_id), "type": event.type})
                await batch.execute()
        except (RedisError, OSError) as error:
            raise SinkUnavailable(f"Redis did not take them: {error}") from None
        return Delivery(settled=len(events))
