"""A relay over a real database, driven step by step or running."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from realtime_bridge.event_log.wakeup import CHANNEL, Wakeup
from realtime_bridge.relay.loop import Relay
from realtime_bridge.relay.sink import Sink
from realtime_bridge.shared import database
from realtime_bridge.shared.database import Pool


@contextlib.asynccontextmanager
async def open_pool(database_url: str, size: int = 6) -> AsyncIterator[Pool]:
    pool = database.pool(database_url, name="test", size=size)
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


@contextlib.asynccontextmanager
async def held_relay(database_url: str, sink: Sink, **kwargs: Any) -> AsyncIterator[Relay]:
    """A relay that holds the lease; the test calls `run_once`."""
    async with open_pool(database_url) as pool:
        relay = Relay(sink=sink, pool=pool, owner="test", **kwargs)
        assert await relay.acquire()
        yield relay


@contextlib.asynccontextmanager
async def standby_relay(database_url: str, sink: Sink) -> AsyncIterator[Relay]:
    """A relay of another bridge, without a lease."""
    async with open_pool(database_url) as pool:
        yield Relay(sink=sink, pool=pool, owner="another")


@contextlib.asynccontextmanager
async def running(*relays: Relay, woken_by: str | None = None) -> AsyncIterator[None]:
    """Run relays; with a database's URL they are told of its events, as in a bridge, or else look once a second."""
    wakers, growers = [relay.wake for relay in relays], [relay.grown for relay in relays]
    waking = asyncio.create_task(Wakeup(woken_by, {CHANNEL: wakers}, growers).run()) if woken_by else None
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        yield
    finally:
        for relay in relays:
            relay.stop()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        if waking:
            waking.cancel()
            await asyncio.wait([waking])


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())
