"""A bridge that was stopped while it delivered, and goes on where it was, long after another one took over."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.event_log.leases import LEASE_S, LeaseLost
from realtime_bridge.legacy.frame import Emit
from realtime_bridge.legacy.sink import BATCH_EVENTS
from realtime_bridge.relay.loop import Relay
from tests.factories import append_message
from tests.integration.legacy.clients import Client, Clients
from tests.integration.legacy.conftest import (  # noqa: F401 - fixtures
    Room,
    clients,
    database_url,
    legacy_url,
    redis,
    room,
)
from tests.integration.legacy.harness import Bridge
from tests.integration.legacy.redis_server import RedisServer

MESSAGES = 3 * BATCH_EVENTS
LATER = 40


@pytest.fixture
def bridges(database_url: str, redis: RedisServer) -> Iterator[tuple[Bridge, Bridge]]:  # noqa: F811
    pair = (Bridge(database_url, redis.url).start(), Bridge(database_url, redis.url).start())
    yield pair
    for bridge in pair:
        bridge.stop()


def relay(bridge: Bridge, name: str) -> Relay:
    return Relay(sink=bridge.sink, pool=bridge.pool, owner=name)


def stop_after(bridge: Bridge, batches: int, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Stop the bridge as SIGSTOP would, before it publishes its next batch; the event lets it go on."""
    publish, go_on, published = bridge.server.publish, asyncio.Event(), 0

    async def stopped(emits: Sequence[Emit]) -> None:
        nonlocal published
        if published == batches:
            await go_on.wait()
        await publish(emits)
        published += 1

    monkeypatch.setattr(bridge.server, "publish", stopped)
    return go_on


def test_a_former_holder_says_nothing_any_more(
    bridges: tuple[Bridge, Bridge],
    clients: Clients,  # noqa: F811
    room: Room,  # noqa: F811
    conn: psycopg.Connection[DictRow],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody hears it, on either bridge: all of them know what was told since, and its cursor moves no more."""
    stopped, heir = bridges
    listeners = [clients.connect(bridge.url, room.member) for bridge in bridges]
    for client in listeners:
        client.subscribe(room.id)
    first, second = relay(stopped, "stopped"), relay(heir, "heir")
    stopped.call(first.acquire())
    go_on = stop_after(stopped, 1, monkeypatch)
    for _ in range(MESSAGES):
        append_message(conn, room.id)
    waiting = asyncio.run_coroutine_threadsafe(first.run_once(), stopped._loop)
    listeners[1].wait_event("message", times=BATCH_EVENTS)
    conn.execute("update relay_cursors set lease_until = now() - interval '1 s' where sink = 'legacy'")
    heir.call(second.acquire())
    for _ in range(LATER):
        append_message(conn, room.id)
    heir.call(second.run_once())
    for client in listeners:
        client.wait_event("message", times=MESSAGES + LATER)
    late = clients.connect(heir.url, room.owner)
    late.subscribe(room.id)
    stopped._loop.call_soon_threadsafe(go_on.set)
    with pytest.raises(LeaseLost):
        raise waiting.exception(LEASE_S) or AssertionError("it was not refused")
    append_message(conn, room.id)
    heir.call(second.run_once())
    for client in (*listeners, late):
        client.wait_event("message", times=1 if client is late else MESSAGES + LATER + 1)
    assert [seqs(client) for client in listeners] == [list(range(1, MESSAGES + LATER + 2))] * 2
    assert seqs(late) == [MESSAGES + LATER + 1]


def seqs(client: Client) -> list[Any]:
    return [frame["seq"] for frame in client.received("message")]
