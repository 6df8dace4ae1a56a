"""Every official client comes back when the server ends its connection, and hears what is said next."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from realtime_bridge.legacy.fanout.redis_stream import STREAM
from tests.integration.legacy.clients import Client, Clients, PythonClients
from tests.integration.legacy.conftest import Room
from tests.integration.legacy.harness import Bridge
from tests.integration.legacy.redis_server import RedisServer
from tests.waiting import wait_for


class Crowd:
    """A client of each kind at one bridge; all of them subscribe plainly, whenever they are connected."""

    def __init__(self, bridge: Bridge, clients: Clients, pythons: PythonClients, room: Room) -> None:
        self._bridge = bridge
        self._room = room
        self.clients: list[Client] = []
        for transport in ("websocket", "polling"):
            self.clients.append(clients.open_old(bridge.url, room.member, room.id, transports=[transport]))
            for kind in ("async", "sync"):
                self.clients.append(pythons.open_old(bridge.url, room.owner, room.id, kind=kind, transport=transport))
        self.wait_subscribed()

    def wait_subscribed(self) -> None:
        def is_subscribed() -> bool:
            sessions = self._bridge.server.sessions.all()
            return sum(self._room.id in session.subscriptions for session in sessions) == len(self.clients)

        wait_for(is_subscribed, "everybody to be subscribed", 30)

    def hear(self, content: str) -> None:
        """Wait until each has heard this message."""

        def have_heard() -> bool:
            heard = [client.received("message") for client in self.clients]
            return all(content in [message["content"] for message in messages] for messages in heard)

        wait_for(have_heard, f"everybody to hear {content}", 30)


@pytest.fixture
def crowd(bridge: Bridge, clients: Clients, room: Room) -> Iterator[Crowd]:
    with PythonClients() as pythons:
        yield Crowd(bridge, clients, pythons, room)


def test_everybody_who_is_dropped_comes_back(bridge: Bridge, crowd: Crowd, room: Room) -> None:
    """The end of the transport is all that clients are told: an Engine.IO CLOSE keeps python-socketio's away."""
    bridge.deliver(room.append("before"))
    crowd.hear("before")
    bridge.call(bridge.server.engine.drop_all())
    for client in crowd.clients:
        client.wait("connect", times=2)
    crowd.wait_subscribed()
    bridge.deliver(room.append("after"))
    crowd.hear("after")


def entry(room: Room, **changes: Any) -> dict[Any, Any]:
    """Return an entry as bridges write it, for this conversation."""
    item = {"event": "message", "data": {"content": "forged", "seq": 1}, "rooms": [f"conversation:{room.id}"]}
    item |= {"conversation_id": room.id, "seq": 1} | changes.pop("item", {})
    return {"publisher": "p", "batch": "1", "emits": json.dumps([item])} | changes


DEEDS: dict[str, Callable[[Redis, Room], Any]] = {
    "wiped": lambda redis, _: redis.flushall(),
    "trimmed": lambda redis, _: redis.xtrim(STREAM, 0),
    "token": lambda redis, room: redis.xadd(STREAM, entry(room, token=str(10**30))),
    "batch": lambda redis, room: redis.xadd(STREAM, entry(room, batch=str(10**30))),
    "digits": lambda redis, room: redis.xadd(STREAM, entry(room, batch="9" * 5_000)),
    "seq": lambda redis, room: redis.xadd(STREAM, entry(room, item={"seq": 10**15})),
    "no seq": lambda redis, room: redis.xadd(STREAM, entry(room, item={"seq": 10**30})),
    "depth": lambda redis, _: redis.xadd(STREAM, {"publisher": "p", "batch": "9", "emits": "[" * 100_000}),
    "no stream": lambda redis, _: redis.set(STREAM, "x"),
    "ahead": lambda redis, _: redis.xadd(STREAM, {"x": "y"}, id="9999999999999-0"),
    "wiped again": lambda redis, _: redis.delete(STREAM),
    "exhausted": lambda redis, _: redis.xadd(STREAM, {"x": "y"}, id="18446744073709551615-18446744073709551615"),
}


def test_whatever_stands_in_redis_everybody_hears_what_comes_next(
    database_url: str, redis: RedisServer, clients: Clients, room: Room
) -> None:
    """Readers and writers survive it, and nobody is dropped for it: on the bridge that publishes, and on another."""
    room.connection.execute(
        "insert into relay_cursors (sink, high_water) select 'legacy', coalesce(max(id), 0) from chat_events"
    )
    near, far = Bridge(database_url, redis.url).start(), Bridge(database_url, redis.url).start()
    try:
        with PythonClients() as pythons, redis.client() as other:
            crowds = [Crowd(bridge, clients, pythons, room) for bridge in (near, far)]
            for bridge in (near, far):
                heard: Any = bridge.server._heard
                wait_for(lambda heard=heard: heard._log_id is not None, "the place in the log")  # type: ignore[misc]
            for name, do in DEEDS.items():
                do(other, room)
                near.deliver(room.append(name))
                for crowd in crowds:
                    crowd.hear(name)
            for crowd in crowds:
                assert [client.count("disconnect") for client in crowd.clients] == [0] * len(crowd.clients)
                for client in crowd.clients:
                    contents = [message["content"] for message in client.received("message")]
                    assert [content for content in contents if content != "forged"] == list(DEEDS)
                    assert contents.count("forged") == 1, "only what looks like a newer event of ours"
    finally:
        near.stop()
        far.stop()
