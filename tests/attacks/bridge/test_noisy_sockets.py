"""One user on twenty sockets who asks as fast as the bridge answers, and a neighbour of another account."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.rows import DictRow
from websockets.sync.client import connect

from realtime_bridge.legacy.pace import Pace
from realtime_bridge.legacy.sessions import Session
from realtime_bridge.legacy.socketio import catch_up
from realtime_bridge.legacy.socketio.catch_up import USER_BURST_BYTES, USER_BYTES_PER_S
from realtime_bridge.legacy.socketio.handlers import VERBS_BURST, VERBS_PER_S
from tests.factories import append_message
from tests.integration.legacy.clients import Client, Clients
from tests.integration.legacy.conftest import (  # noqa: F401 - fixtures
    Room,
    bridge,
    clients,
    database_url,
    legacy_url,
    make_room,
    room,
)
from tests.integration.legacy.harness import Bridge, token
from tests.waiting import wait_for

# ruff: noqa: F811 - what is imported above is named as an argument below
SOCKETS = 20
SAMPLES = 100
MISSED = 500
BIG = "x" * 4_000


@pytest.fixture
def noisy_room(conn: psycopg.Connection[DictRow]) -> Room:
    noisy = make_room(conn)
    with conn.transaction():
        for _ in range(MISSED):
            append_message(conn, noisy.id, BIG)
    return noisy


def p99_ms(bridge: Bridge, room: Room, client: Client) -> float:
    """Return how long the neighbour's messages take from the relay to the client."""
    sent: dict[int, float] = {}
    before = len(client.received("message"))
    for _ in range(SAMPLES):
        events = room.append("hello")
        sent[events[0].seq] = time.time() * 1_000
        bridge.deliver(events)
    client.wait_event("message", times=before + SAMPLES)
    lines = [line for line in client.lines if line["is"] == "event" and line["event"] == "message"]
    took = sorted(line["at"] - sent[line["args"][0]["seq"]] for line in lines[before:])
    return float(took[int(len(took) * 0.99) - 1])


def test_a_noisy_user_is_given_its_budget_and_no_more(
    bridge: Bridge, clients: Clients, room: Room, noisy_room: Room
) -> None:
    """On all sockets together, however often it asks; so a neighbour waits for that at most."""
    neighbour = clients.connect(bridge.url, room.member)
    neighbour.subscribe(room.id)
    quiet_ms = p99_ms(bridge, room, neighbour)
    with Clients() as others:
        began = time.monotonic()
        for _ in range(SOCKETS):
            others.open_mute(bridge.url, noisy_room.member).storm(
                "subscribe:conversation", str(noisy_room.id), {"afterSeq": 0}
            )
        noisy_ms = p99_ms(bridge, room, neighbour)
        queues = [bridge.server.engine.sockets[one.engine_sid].queue for one in _sessions(bridge, noisy_room)]
        given, took_s = sum(queue.put_count for queue in queues), time.monotonic() - began
    messages = (USER_BURST_BYTES + USER_BYTES_PER_S * took_s) / len(BIG)
    answers = VERBS_BURST + VERBS_PER_S * took_s
    print(f"p99 {quiet_ms:.0f} ms quiet, {noisy_ms:.0f} ms beside {given} frames in {took_s:.1f} s")  # noqa: T201
    assert len(queues) == SOCKETS
    assert given <= messages + answers + 2 * SOCKETS


def test_an_accounts_users_share_its_budget(
    bridge: Bridge, clients: Clients, room: Room, noisy_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one of them has used up another lacks; it is told so, and an account's own is not touched."""
    monkeypatch.setattr(catch_up, "READ_TIMEOUT_S", 0.2)
    small = Pace(per_s=1.0, burst=MISSED * len(BIG) / 2)
    monkeypatch.setattr(bridge.server._handlers._catch_up, "_of_account", small)
    first, second = (clients.open_mute(bridge.url, one) for one in (noisy_room.member, noisy_room.owner))
    assert first.subscribe(noisy_room.id, after_seq=MISSED // 2)["lastSeq"] == MISSED
    assert second.subscribe(noisy_room.id, after_seq=0)["truncated"]
    room.append("hello")
    assert "truncated" not in clients.connect(bridge.url, room.member).subscribe(room.id, after_seq=0)


def _sessions(bridge: Bridge, room: Room) -> list[Session]:
    return bridge.server.sessions.of_user(room.member)


@contextmanager
def deaf(bridge: Bridge, room: Room) -> Iterator[None]:
    """A member who asks for everything and reads nothing."""
    address = urlsplit(bridge.url)
    url = bridge.url.replace("http", "ws") + "/api/ws/?EIO=4&transport=websocket"
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.connect((address.hostname, address.port))
        with connect(url, sock=line, close_timeout=1, max_queue=1, compression=None) as peer:
            peer.recv(10)
            peer.send("40" + json.dumps({"token": token(room.member)}))
            peer.recv(10)
            peer.send("42" + json.dumps(["subscribe:conversation", str(room.id), {"afterSeq": 0}]))
            yield


def test_what_waits_for_a_deaf_reader_is_bounded(
    bridge: Bridge, room: Room, conn: psycopg.Connection[DictRow], noisy_room: Room
) -> None:
    """By size, not only by number: a catch-up stops half way, and whoever is behind by all of it is cut off."""
    engine = bridge.server.engine
    engine.max_queued_bytes = 200_000  # type: ignore[attr-defined, unused-ignore]
    bridge.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)  # the kernel would take all of it

    def waiting() -> list[int]:
        return [
            sum(len(packet.data or "") for packet in list(peer.queue._queue) if packet)
            for peer in list(engine.sockets.values())
        ]

    with deaf(bridge, noisy_room):
        wait_for(lambda: sum(waiting()) > 90_000, "the catch-up to wait for its reader")
        for number in range(100):
            append_message(conn, noisy_room.id, BIG)
            if number % 20 == 0:
                assert max(waiting()) <= 110_000
        bridge.deliver(noisy_room.events(after_seq=MISSED))
        assert max(waiting(), default=0) <= 210_000
        assert engine.cut_off == 1


def test_nobody_asks_faster_than_their_pace(
    bridge: Bridge, clients: Clients, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever goes on asking is made to wait first, and then refused with a code; other users are not."""
    monkeypatch.setattr("realtime_bridge.legacy.socketio.handlers.PATIENCE_S", 0.0)
    hasty, calm = clients.connect(bridge.url, room.member), clients.connect(bridge.url, room.owner)
    for _ in range(800):
        hasty.tell("typing", {"conversationId": str(room.id), "isTyping": True})
    wait_for(lambda: {"rate_limited"} <= {error["code"] for error in hasty.received("error")}, "a refusal")
    assert calm.subscribe(room.id)["ok"]
    assert calm.received("error") == []
