"""How a probe is sent on each path to Supabase. Made by the wiring, called by the watch."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from realtime_bridge.relay.loop import Pool
from realtime_bridge.relay.sink import SinkNotReady
from realtime_bridge.shared import sql
from realtime_bridge.supabase.probe.path import Send
from realtime_bridge.supabase.transport import Broadcast

_QUERIES = sql.AsyncQueries(__file__)
EVENT = "probe"


def through_database(pool: Pool, topic: str) -> Send:
    """Write a row as the transport does; a database that is away says nothing of what is behind it."""

    async def send(name: str) -> None:
        values = {"payload": Jsonb({"probe": name}), "event": EVENT, "topic": topic}
        try:
            async with pool.connection() as connection:
                await _QUERIES.run(connection, "send", **values)
        except (psycopg.Error, PoolTimeout, OSError) as error:
            raise SinkNotReady(f"The database is away: {error}".strip()) from error

    return send


def over_http(post: Callable[[Sequence[Broadcast]], Awaitable[None]], topic: str) -> Send:
    """`post` sends at once, whatever else waits to be sent: a probe that queues measures the queue."""

    async def send(name: str) -> None:
        await post([Broadcast(topic=topic, event=EVENT, payload={"probe": name}, id=uuid4())])

    return send
