"""Who may connect, and how, with the official client."""

import time
from uuid import uuid4

import pytest
import requests

from realtime_bridge.legacy.socketio import old_clients
from realtime_bridge.shared.tokens import mint_role_key
from tests.integration.legacy.clients import Clients, PythonClients
from tests.integration.legacy.conftest import Room
from tests.integration.legacy.harness import SECRET, Bridge, token
from tests.waiting import wait_for


def test_default_client_connects_by_websocket_upgrade(bridge: Bridge, clients: Clients, room: Room) -> None:
    """The default client begins with polling and upgrades."""
    client = clients.connect(bridge.url, room.member)
    assert client.wait("open")["transport"] == "polling"
    assert client.wait("upgrade")["transport"] == "websocket"


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_each_transport_alone_carries_messages(bridge: Bridge, clients: Clients, room: Room, transport: str) -> None:
    """A client that is held to one transport gets what is said."""
    client = clients.connect(bridge.url, room.member, transports=[transport])
    assert client.subscribe(room.id) == {"ok": True, "conversationId": str(room.id), "lastSeq": 0}
    events = room.append("hello")
    assert bridge.deliver(events).settled == 1
    message = client.wait_event("message")
    assert (message["content"], message["eventId"], message["seq"]) == ("hello", str(events[0].event_id), 1)
    assert client.wait_event("conversation")["lastMessage"]["id"] == message["id"]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_client_of_socketio_3_carries_messages(bridge: Bridge, clients: Clients, room: Room, transport: str) -> None:
    """It speaks the same Engine.IO as today's."""
    client = clients.open(bridge.url, {"token": token(room.member)}, version=3, transports=[transport])
    client.wait("connect")
    client.subscribe(room.id)
    bridge.deliver(room.append("hello"))
    assert client.wait_event("message")["content"] == "hello"


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_client_of_socketio_2_is_told_what_to_use(
    bridge: Bridge, clients: Clients, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its `error` event says which versions connect; it is kept from coming back at once, then told again."""
    monkeypatch.setattr(old_clients, "HOLD_S", 0.5)
    client = clients.open(bridge.url, version=2, transports=[transport])
    began = time.monotonic()
    for times in (1, 2):
        assert client.wait("error", times)["message"] == old_clients.WORDS
    assert time.monotonic() - began > 0.5
    assert (client.count("connect"), bridge.server.socket_count) == (0, 0)


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        (None, "token_missing"),
        ({"token": ""}, "token_missing"),
        ({"token": 7}, "token_missing"),
        ({"token": "rubbish"}, "token_invalid"),
        ({"token": token(uuid4(), ttl_s=-1)}, "token_expired"),
        ({"token": token(uuid4(), secret="the-secret-of-another-project-entirely")}, "token_invalid"),
        ({"token": mint_role_key(SECRET, "anon", 600)}, "token_invalid"),
    ],
)
def test_refusals_say_why(bridge: Bridge, clients: Clients, auth: dict[str, object] | None, code: str) -> None:
    """A refused client learns the reason in words and as a code, and gets nothing."""
    client = clients.open(bridge.url, auth)
    assert client.wait("connect_error")["data"] == {"code": code}
    assert bridge.server.socket_count == 0


def test_sockets_of_one_user_are_bounded(database_url: str, clients: Clients, room: Room) -> None:
    """One socket too many is refused; closing another makes room."""
    bridge = Bridge(database_url, max_sockets_per_user=2).start()
    try:
        first, _ = (clients.connect(bridge.url, room.member) for _ in range(2))
        extra = clients.open(bridge.url, {"token": token(room.member)}, reconnection=False)
        assert extra.wait("connect_error")["data"] == {"code": "too_many_connections"}
        clients.connect(bridge.url, room.owner)
        first.close()
        clients.connect(bridge.url, room.member)
    finally:
        bridge.stop()


def test_session_without_a_token_is_closed(database_url: str, clients: Clients) -> None:
    """Who connects and never presents a token does not stay."""
    bridge = Bridge(database_url, connect_timeout_s=0.3).start()
    try:
        client = clients.open(bridge.url, None, reconnection=False)
        client.wait("connect_error")
        assert client.wait("engine_close")
    finally:
        bridge.stop()


def test_pages_of_other_origins_are_refused(database_url: str) -> None:
    """Only the origins that were named, or the page's own, may open a socket from a browser."""
    bridge = Bridge(database_url, cors_origins=("https://crm.example",)).start()
    try:
        url = f"{bridge.url}/api/ws/?EIO=4&transport=polling"
        allowed = requests.get(url, headers={"Origin": "https://crm.example"}, timeout=10)
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://crm.example"
        assert requests.get(url, headers={"Origin": "https://evil.example"}, timeout=10).status_code == 400
    finally:
        bridge.stop()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_client_whose_origin_is_the_bridge_itself_connects(database_url: str, room: Room, transport: str) -> None:
    """So it is of python-socketio's ordinary client over websockets, and of a page beside the bridge."""
    bridge = Bridge(database_url, cors_origins=("https://crm.example",)).start()
    try:
        with PythonClients() as pythons:
            client = pythons.open_old(bridge.url, room.member, room.id, kind="sync", transport=transport)
            wait_for(lambda: [room.id in one.subscriptions for one in bridge.server.sessions.all()] == [True], "it")
            bridge.deliver(room.append("hello"))
            assert client.wait_event("message")["content"] == "hello"
        url = f"{bridge.url}/api/ws/?EIO=4&transport=polling"
        answer = requests.get(url, headers={"Origin": bridge.url}, timeout=10)
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, bridge.url)
    finally:
        bridge.stop()
