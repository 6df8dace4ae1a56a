"""Several bridges over one Redis: each client hears everything once, and a Redis that fails loses nothing."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from realtime_bridge.legacy.fanout.redis_stream import STREAM
from realtime_bridge.relay.sink import SinkUnavailable
from tests.integration.legacy.clients import Clients
from tests.integration.legacy.conftest import Room
from tests.integration.legacy.harness import Bridge, token
from tests.integration.legacy.redis_server import RedisServer


@pytest.fixture
def bridges(database_url: str, redis: RedisServer) -> Iterator[tuple[Bridge, Bridge]]:
    pair = (Bridge(database_url, redis.url).start(), Bridge(database_url, redis.url).start())
    yield pair
    for bridge in pair:
        bridge.stop()


def wait_until(condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_each_client_hears_each_message_once(bridges: tuple[Bridge, Bridge], clients: Clients, room: Room) -> None:
    """What one bridge delivers reaches the clients of both, in order and once."""
    near, far = (clients.connect(bridge.url, room.member) for bridge in bridges)
    for client in (near, far):
        client.subscribe(room.id)
    bridges[0].deliver(room.append(*(f"m{number}" for number in range(100))))
    bridges[1].deliver(room.append("from the other bridge"))
    for client in (near, far):
        client.wait_event("message", times=101)
        client.wait_event("conversation", times=101)
        assert [message["seq"] for message in client.received("message")] == list(range(1, 102))
        assert len(client.received("conversation")) == 101


def test_a_removed_member_hears_nothing_more_anywhere(
    bridges: tuple[Bridge, Bridge], clients: Clients, room: Room
) -> None:
    """From the event on that removes them, on every bridge: no message, no typing, and no right to type."""
    gone = [clients.connect(bridge.url, room.member) for bridge in bridges]
    staying = [clients.connect(bridge.url, room.owner) for bridge in bridges]
    for client in (*gone, *staying):
        client.subscribe(room.id)
    bridges[0].deliver([*room.append("for both"), *room.remove(room.member)])
    for client in staying:
        client.wait_event("conversation", times=2)
    sign = {"conversationId": str(room.id), "isTyping": True}
    for client in gone:
        client.wait_event("message")
        assert client.ask("typing", sign)["error"]["code"] == "not_subscribed"
    staying[0].ask("typing", sign)
    bridges[0].deliver(room.append("for one"))
    staying[1].wait_event("typing")
    for client in staying:
        client.wait_event("message", times=2)
    for client in gone:
        assert client.ask("subscribe:conversation", str(room.id), {"afterSeq": 0})["error"]["code"] == "not_found"
        assert [message["content"] for message in client.received("message")] == ["for both"]
        assert client.received("typing") == []


def test_typing_crosses_bridges(bridges: tuple[Bridge, Bridge], clients: Clients, room: Room) -> None:
    """Who types at one bridge is seen at the other, once, and does not hear of it."""
    typist, listener = (
        clients.connect(bridge.url, user) for bridge, user in zip(bridges, (room.member, room.owner), strict=True)
    )
    for client in (typist, listener):
        client.subscribe(room.id)
    for is_typing in (True, False):
        typist.ask("typing", {"conversationId": str(room.id), "isTyping": is_typing})
    listener.wait_event("typing", times=2)
    assert [sign["isTyping"] for sign in listener.received("typing")] == [True, False]
    assert typist.received("typing") == []


def test_killed_redis_delays_and_loses_nothing(
    bridges: tuple[Bridge, Bridge], clients: Clients, room: Room, redis: RedisServer
) -> None:
    """While Redis is dead nothing is delivered to anybody; when it is back, the retry reaches everybody once."""
    near, far = (clients.connect(bridge.url, room.member) for bridge in bridges)
    for client in (near, far):
        client.subscribe(room.id)
    bridges[0].deliver(room.append("before"))
    far.wait_event("message")
    redis.kill()
    events = room.append(*(f"m{number}" for number in range(50)))
    for _ in range(2):
        with pytest.raises(SinkUnavailable, match="Redis did not take the batch"):
            bridges[0].deliver(events)
    assert [len(client.received("message")) for client in (near, far)] == [1, 1]
    redis.start()
    settled = 0

    def all_delivered() -> bool:
        nonlocal settled
        try:
            settled += bridges[0].deliver(events[settled:]).settled
        except SinkUnavailable:
            return False
        return settled == len(events)

    wait_until(all_delivered)
    for client in (near, far):
        client.wait_event("message", times=51)
        assert [message["seq"] for message in client.received("message")] == list(range(1, 52))
        assert client.count("disconnect") == 0


def test_page_stops_where_redis_failed(
    bridges: tuple[Bridge, Bridge], clients: Clients, room: Room, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When Redis fails in the middle of a page, what was published is settled and the rest is left for later."""
    server = bridges[0].server
    publish, calls = server.publish, 0

    async def failing(emits: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            redis.kill()
        await publish(emits)  # type: ignore[arg-type]

    monkeypatch.setattr(server, "publish", failing)
    delivery = bridges[0].deliver(room.append(*(f"m{number}" for number in range(50))))
    assert delivery.settled == 20
    assert isinstance(delivery.unavailable, SinkUnavailable)


def lose(bridges: tuple[Bridge, Bridge], room: Room, redis: RedisServer) -> None:
    """Let the far bridge never see the first of two messages."""
    near, far = bridges
    fanout: Any = far.server._fanout
    far._loop.call_soon_threadsafe(fanout._task.cancel)
    wait_until(fanout._task.done)
    near.deliver(room.append("lost"))
    with redis.client() as client:
        client.xtrim(STREAM, 0)

    async def read_on() -> None:
        fanout._task = asyncio.create_task(fanout.run())

    near.deliver(room.append("next"))
    far.call(read_on())


def test_lost_entries_are_told_from_the_log(
    bridges: tuple[Bridge, Bridge], clients: Clients, room: Room, redis: RedisServer
) -> None:
    """When the stream lost entries that a bridge had not read, its clients hear them all the same, and stay."""
    room.connection.execute(
        "insert into relay_cursors (sink, high_water) select 'legacy', coalesce(max(id), 0) from chat_events"
    )
    client = clients.connect(bridges[1].url, room.member)
    client.subscribe(room.id)
    bridges[0].deliver(room.append("one"))
    client.wait_event("message")
    heard: Any = bridges[1].server._heard
    wait_until(lambda: heard._log_id is not None)
    lose(bridges, room, redis)
    client.wait_event("message", times=3)
    assert [message["content"] for message in client.received("message")] == ["one", "lost", "next"]
    assert client.count("disconnect") == 0


def test_who_cannot_be_told_what_was_lost_is_told_that(
    bridges: tuple[Bridge, Bridge], clients: Clients, room: Room, redis: RedisServer
) -> None:
    """While it is not known how far in the log they are, sockets hear `resync`, come back and say how far they are."""
    client = clients.connect(bridges[1].url, room.member)
    client.subscribe(room.id)
    bridges[0].deliver(room.append("one"))
    client.wait_event("message")
    lose(bridges, room, redis)
    assert client.wait_event("error")["code"] == "resync"
    client.wait("connect", times=2)
    client.subscribe(room.id, after_seq=1)
    client.wait_event("message", times=3)
    assert [message["seq"] for message in client.received("message")] == [1, 2, 3]


def test_rubbish_on_the_stream_is_skipped(
    bridges: tuple[Bridge, Bridge], clients: Clients, room: Room, redis: RedisServer
) -> None:
    """Entries that are not ours harm nobody: what comes after them arrives."""
    client = clients.connect(bridges[1].url, room.member)
    client.subscribe(room.id)
    with redis.client() as rubbish:
        for fields in (
            {"x": "y"},
            {"publisher": "p", "emits": "no json"},
            {"publisher": b"\xff", "emits": "[]"},
            {"publisher": "p", "batch": "many", "emits": "[]"},
            {"publisher": "p", "emits": "[1]"},
            {"publisher": "p", "emits": '[{"event": "e", "data": {}, "rooms": [], "conversation_id": 1, "seq": 1}]'},
            {"publisher": "p", "emits": '[{"event": 7, "data": {}, "rooms": ["r"], "conversation_id": 1, "seq": 1}]'},
            {
                "publisher": "p",
                "emits": '[{"event": "e", "data": {}, "rooms": ["r"], "conversation_id": 1, "seq": 1}]',
                "members": '["r"]',
            },
            {"publisher": "p", "emits": "[" * 100_000},
        ):
            rubbish.xadd(STREAM, fields)
    bridges[0].deliver(room.append("after"))
    client.wait_event("message")


def test_stream_is_bounded(bridges: tuple[Bridge, Bridge], room: Room, redis: RedisServer) -> None:
    """The stream keeps the newest entries only."""
    event = room.append("again")
    for _ in range(2_300):
        bridges[0].deliver(event)
    with redis.client() as client:
        assert 2_000 <= client.xlen(STREAM) < 2_200


def test_bridge_without_redis_takes_no_sockets_yet(
    database_url: str, clients: Clients, room: Room, redis: RedisServer
) -> None:
    """A bridge that starts before its Redis refuses sockets until it can be sure to deliver to them."""
    redis.kill()
    bridge = Bridge(database_url, redis.url).start()
    try:
        client = clients.open(bridge.url, {"token": token(room.member)})
        client.wait("connect_error")
        redis.start()
        client.wait("connect")
        client.subscribe(room.id)
        wait_until(lambda: _delivers(bridge, room))
        client.wait_event("message")
    finally:
        bridge.stop()


def _delivers(bridge: Bridge, room: Room) -> bool:
    try:
        return bridge.deliver(room.append("hello")).settled == 1
    except SinkUnavailable:
        return False
