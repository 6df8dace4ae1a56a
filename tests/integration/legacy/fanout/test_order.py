"""The order that old clients hear: never an older event of a conversation after a newer one, whoever repeats it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.legacy.clients import Client, Clients
from tests.integration.legacy.conftest import Room
from tests.integration.legacy.harness import Bridge
from tests.integration.legacy.redis_server import RedisServer


def seqs(client: Client, event: str = "message") -> list[int]:
    return [frame["seq"] for frame in client.received(event)]


@pytest.fixture
def bridges(database_url: str, redis: RedisServer) -> Iterator[tuple[Bridge, Bridge]]:
    pair = (Bridge(database_url, redis.url).start(), Bridge(database_url, redis.url).start())
    yield pair
    for bridge in pair:
        bridge.stop()


def test_backlog_is_heard_in_its_order(bridge: Bridge, clients: Clients, room: Room) -> None:
    """A plain subscriber goes on where the relay is, behind the end of the log, and hears all of the backlog."""
    backlog = room.append(*"abcde")
    client = clients.connect(bridge.url, room.member)
    assert client.subscribe(room.id)["lastSeq"] == 5
    bridge.deliver([*backlog, *room.append("f")])
    client.wait_event("message", times=6)
    assert seqs(client) == [1, 2, 3, 4, 5, 6]


def test_a_repeated_page_is_not_heard_again(bridge: Bridge, clients: Clients, room: Room) -> None:
    """What a relay delivers once more after a failure, nobody hears who has heard what came after it."""
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id)
    events = room.append("one", "two", "three")
    bridge.deliver(events)
    bridge.deliver(events[1:])
    bridge.deliver(room.append("four"))
    client.wait_event("message", times=4)
    client.wait_event("conversation", times=4)
    assert (seqs(client), seqs(client, "conversation")) == ([1, 2, 3, 4], [1, 2, 3, 4])


def test_a_repeat_is_not_heard_on_the_next_connection(bridge: Bridge, clients: Clients, room: Room) -> None:
    """The same after the socket was cut and subscribed plainly again."""
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id)
    events = room.append("one", "two", "three")
    bridge.deliver(events)
    client.wait_event("message", times=3)
    client.cut()
    client.wait("connect", times=2)
    client.subscribe(room.id)
    bridge.deliver(events[1:])
    bridge.deliver(room.append("four"))
    client.wait_event("message", times=4)
    assert seqs(client) == [1, 2, 3, 4]


def test_a_catch_up_is_ahead_of_the_relay(bridge: Bridge, clients: Clients, room: Room) -> None:
    """Who was brought ahead of the relay by a catch-up hears nothing of its backlog, on the next connection neither."""
    events = room.append(*"abcd")
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id, after_seq=0)
    client.wait_event("message", times=4)
    bridge.deliver(events[:1])
    client.cut()
    client.wait("connect", times=2)
    client.subscribe(room.id)
    bridge.deliver([*events[1:], *room.append("e")])
    client.wait_event("message", times=5)
    assert seqs(client) == [1, 2, 3, 4, 5]
    assert seqs(client, "conversation") == sorted(seqs(client, "conversation"))


def test_what_an_operator_sends_again_is_heard(bridge: Bridge, clients: Clients, room: Room) -> None:
    """A parked event that is delivered late is nobody's repeat."""
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id)
    parked, later = room.append("one", "two")
    bridge.deliver([later])
    bridge.deliver([replace(parked, is_replay=True)])
    client.wait_event("message", times=2)
    assert seqs(client) == [2, 1]


def test_a_client_that_changes_bridges_does_not_go_back(
    bridges: tuple[Bridge, Bridge], clients: Clients, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes from a bridge that is ahead waits until this one has read on, and hears what is new."""
    near, far = bridges
    fanout: Any = far.server._fanout
    go_on, take = asyncio.Event(), fanout._take

    async def slow_take(fields: dict[bytes, bytes]) -> Any:
        await go_on.wait()
        return await take(fields)

    monkeypatch.setattr(fanout, "_take", slow_take)
    first = clients.connect(near.url, room.member)
    first.subscribe(room.id)
    near.deliver(room.append(*"abc"))
    first.wait_event("message", times=3)
    second = clients.connect(far.url, room.member)
    second.tell("subscribe:conversation", str(room.id))
    far._loop.call_soon_threadsafe(far._loop.call_later, 0.2, go_on.set)
    second.subscribe(room.id)
    near.deliver(room.append("d"))
    second.wait_event("message")
    assert seqs(second) == [4]


def test_what_failed_half_way_is_heard_by_the_retry(
    bridge: Bridge, clients: Clients, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame counts as told once it is on its way to everybody, and not when something before that failed."""
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id)
    rooms: Any = bridge.server._rooms
    expel = rooms.expel_strangers

    async def fail(*_: object) -> None:
        rooms.expel_strangers = expel
        raise RuntimeError("on the way to the room")

    monkeypatch.setattr(rooms, "expel_strangers", fail)
    events = room.append("one", "two")
    with pytest.raises(RuntimeError):
        bridge.deliver(events)
    bridge.deliver(events)
    client.wait_event("message", times=2)
    assert seqs(client) == [1, 2]
