"""Coming back: what was missed comes first, once, in order; and how sockets are ended so that clients come back."""

import asyncio
from typing import Any

import pytest

from realtime_bridge.event_log.event import Event
from realtime_bridge.legacy.conversations import Place, StoredConversations
from realtime_bridge.shared.tokens import Claims
from tests.integration.legacy.clients import Client, Clients
from tests.integration.legacy.conftest import Room
from tests.integration.legacy.harness import Bridge, token


def seqs(client: Client) -> list[int]:
    return [message["seq"] for message in client.received("message")]


def test_reconnected_client_catches_up(bridge: Bridge, clients: Clients, room: Room) -> None:
    """A client whose connection broke gets what it missed when it says how far it was, and then live messages."""
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id)
    bridge.deliver(room.append("one", "two"))
    client.wait_event("conversation", times=2)
    client.cut()
    client.wait("disconnect")
    bridge.deliver(room.append("three", "four"))
    client.wait("connect", times=2)
    answer = client.subscribe(room.id, after_seq=2)
    assert answer == {"ok": True, "conversationId": str(room.id), "lastSeq": 4}
    bridge.deliver(room.append("five"))
    client.wait_event("message", times=5)
    assert seqs(client) == [1, 2, 3, 4, 5]
    client.wait_event("conversation", times=4)
    latest = [update["lastMessage"]["content"] for update in client.received("conversation")]
    assert latest == ["two", "two", "four", "five"]  # how the conversation stands when it is told


def test_reconnected_client_that_does_not_ask_goes_on_from_now(bridge: Bridge, clients: Clients, room: Room) -> None:
    """An unchanged old client subscribes again and hears what is said from then on; `lastSeq` says where that is."""
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id)
    client.cut()
    client.wait("disconnect")
    bridge.deliver(room.append("missed"))
    client.wait("connect", times=2)
    assert client.subscribe(room.id)["lastSeq"] == 1
    bridge.deliver(room.append("heard"))
    client.wait_event("message")
    assert seqs(client) == [2]


def test_a_client_says_in_the_handshake_how_far_it_is(bridge: Bridge, clients: Clients, room: Room) -> None:
    """Then its next plain subscription sends what it missed, once; whatever else stands there is refused."""
    bridge.deliver(room.append("one", "two", "three"))
    auth = {"token": token(room.member)}
    client = clients.open(bridge.url, auth | {"afterSeq": {str(room.id): 1}})
    client.wait("connect")
    client.subscribe(room.id)
    client.subscribe(room.id)
    bridge.deliver(room.append("four"))
    client.wait_event("message", times=3)
    assert seqs(client) == [2, 3, 4]
    for said in ({str(room.id): -1}, {str(room.id): "1"}, {"x": 1}, [1], {str(number): 1 for number in range(201)}):
        refused = clients.open(bridge.url, auth | {"afterSeq": said})
        assert refused.wait("connect_error")["data"]["code"] in {"invalid", "not_found"}


def test_event_that_is_replayed_and_delivered_comes_once(bridge: Bridge, clients: Clients, room: Room) -> None:
    """An event that a client caught up on before its delivery is not sent to it twice, and nothing older after it."""
    events = room.append("one", "two", "three")
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id, after_seq=1)
    bridge.deliver(events[1:])
    bridge.deliver(room.append("four"))
    bridge.deliver(events[:1])
    bridge.deliver(room.append("five"))
    client.wait_event("message", times=4)
    assert seqs(client) == [2, 3, 4, 5]


def test_live_events_wait_for_the_replay(
    bridge: Bridge, clients: Clients, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is delivered while the log is being read comes after what was read, without a gap and without a repeat."""
    room.append("one", "two")
    read = StoredConversations.read_events

    async def slow_read(self: StoredConversations, *place: Any) -> list[Event]:
        events = await read(self, *place)
        late = await asyncio.to_thread(room.append, "three", "four")
        await bridge.sink.deliver(events[1:] + late, None)
        return events

    monkeypatch.setattr(StoredConversations, "read_events", slow_read)
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id, after_seq=0)
    client.wait_event("message", times=4)
    assert seqs(client) == [1, 2, 3, 4]


def test_long_absence_is_truncated(
    bridge: Bridge, clients: Clients, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who missed more than the bound gets that many, and is told to fetch the rest over REST."""
    monkeypatch.setattr("realtime_bridge.legacy.socketio.catch_up.MAX_EVENTS", 3)
    room.append(*"abcde")
    client = clients.connect(bridge.url, room.member)
    answer = client.subscribe(room.id, after_seq=0)
    assert answer == {"ok": True, "conversationId": str(room.id), "lastSeq": 5, "truncated": True}
    client.wait_event("message", times=3)
    assert seqs(client) == [1, 2, 3]


def test_catch_up_waits_for_its_reader(database_url: str, clients: Clients, room: Room) -> None:
    """A catch-up much longer than a socket's queue goes at the reader's pace and does not cut it off."""
    bridge = Bridge(database_url, max_queued_packets=20).start()
    try:
        room.append(*(f"m{number}" for number in range(400)))
        client = clients.connect(bridge.url, room.member)
        assert "truncated" not in client.subscribe(room.id, after_seq=0)
        client.wait_event("message", times=400)
        assert (seqs(client), bridge.server.engine.cut_off) == (list(range(1, 401)), 0)
    finally:
        bridge.stop()


def test_refused_event_does_not_end_a_catch_up(bridge: Bridge, clients: Clients, room: Room) -> None:
    """An event that the dialect cannot say is left out of the replay, as the sink left it out of the live stream."""
    room.append("one", "two", "three")
    room.connection.execute("update chat_events set payload = payload - 'status' where seq = 2")
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id, after_seq=0)
    assert client.wait_event("message", times=2)["seq"] == 3


def test_failed_catch_up_joins_nothing(
    bridge: Bridge, clients: Clients, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the log cannot be read, the client is told, and is not half subscribed."""
    room.append("one")

    async def membership(_self: StoredConversations, _conversation_id: int, _claims: Claims) -> Place:
        room.connection.execute("alter table chat_events rename to hidden")
        return Place(last_seq=1, account_id=room.owner)

    monkeypatch.setattr(StoredConversations, "find_place", membership)
    client = clients.connect(bridge.url, room.member)
    assert client.subscribe(room.id, after_seq=0)["error"]["code"] == "unavailable"
    room.connection.execute("alter table hidden rename to chat_events")
    bridge.deliver(room.events())
    client.wait_event("conversation")
    assert client.received("message") == []


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_stopped_bridge_sends_its_clients_elsewhere(
    bridge: Bridge, clients: Clients, room: Room, transport: str
) -> None:
    """A clean stop ends every socket in a way after which the official client reconnects by itself."""
    client = clients.connect(bridge.url, room.member, transports=[transport])
    bridge.call(bridge.server.engine.drop_all())
    assert client.wait("disconnect")["reason"] in {"transport close", "transport error"}
    client.wait("connect", times=2)
    bridge.stop()
    assert client.wait("disconnect", times=2)["reason"] in {"transport close", "transport error"}
    assert client.wait("connect_error")
