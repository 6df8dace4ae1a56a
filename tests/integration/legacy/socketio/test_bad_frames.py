"""Whatever one peer sends, the server lives, nobody else notices, and the log is not flooded."""

import contextlib
import json
import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import DictRow
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.integration.legacy.clients import Clients
from tests.integration.legacy.conftest import Room
from tests.integration.legacy.harness import Bridge, token
from tests.waiting import wait_for

READ_TIMEOUT_S = 10.0


@contextlib.contextmanager
def raw_socket(bridge: Bridge, **options: int) -> Iterator[Connection]:
    """A websocket that speaks Engine.IO by hand; its first frame, the handshake, is read."""
    url = bridge.url.replace("http", "ws") + "/api/ws/?EIO=4&transport=websocket"
    with connect(url, open_timeout=READ_TIMEOUT_S, close_timeout=1, **options) as peer:  # type: ignore[arg-type]
        assert str(peer.recv(READ_TIMEOUT_S)).startswith("0{")
        yield peer


def sign_in(peer: Connection, room: Room) -> None:
    peer.send("40" + json.dumps({"token": token(room.member)}))
    assert str(peer.recv(READ_TIMEOUT_S)).startswith("40{")


def closing_code(peer: Connection) -> int:
    """Read until the server closes; return the code."""
    try:
        while True:
            peer.recv(READ_TIMEOUT_S)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


@pytest.fixture
def errors(caplog: pytest.LogCaptureFixture) -> Iterator[list[logging.LogRecord]]:
    """What any logger says with a traceback or at error level."""
    caplog.set_level(logging.INFO)
    yield caplog.records
    assert [
        record.getMessage() for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR
    ] == []


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", 1002), ("x", 1002), ("9", 1002), ("2", 1002), ("2probe2", 1002), ("0{}", 1002), ("4", 1002),
        ('44"no"', 1002), ('451-["a",{"_placeholder":true,"num":0}]', 1002), ("461-[]", 1002), ("bAAAA", 1002),
        (b"\x00\x01", 1003), ("4[" + "[" * 60_000, 1002), ('42["x","' + "y" * 64_000 + "é" * 1_000 + '"]', 1009),
    ],
)  # fmt: skip
def test_frame_that_breaks_the_transport_protocol_closes_its_socket(
    bridge: Bridge, room: Room, errors: list[logging.LogRecord], frame: str | bytes, code: int
) -> None:
    """A frame that is no packet of the dialect closes the socket with the protocol's code."""
    with raw_socket(bridge) as peer:
        sign_in(peer, room)
        peer.send(frame)
        assert closing_code(peer) == code


@pytest.mark.parametrize(
    "frame",
    [
        "42", "42{}", "42[]", "42[7]", '42[["a"]]', '42[{"a":1}]', "42[null]", "42nonsense", '42["connect"]',
        '42["disconnect","x"]', '42["*"]', '42["' + "e" * 65 + '"]', "42[" + "[" * 60_000, "431[]", "43[]",
        '42/admin,["a"]', "42" + "1" * 200 + '["a"]', '42²["typing"]', "41/nowhere,",
    ],
)  # fmt: skip
def test_packet_that_breaks_the_dialect_closes_its_socket(
    bridge: Bridge, room: Room, errors: list[logging.LogRecord], frame: str
) -> None:
    """A Socket.IO packet that means nothing closes the socket; its session is gone."""
    with raw_socket(bridge) as peer:
        sign_in(peer, room)
        peer.send(frame)
        closing_code(peer)
    assert bridge.server.socket_count == 0


@pytest.mark.parametrize("frame", ['42["typing",{}]', "41", "43[]", "40/admin,"])
def test_nothing_is_heard_before_the_token(bridge: Bridge, errors: list[logging.LogRecord], frame: str) -> None:
    """Whoever talks before presenting a token is closed or refused."""
    with raw_socket(bridge) as peer:
        peer.send(frame)
        if frame.startswith("40"):
            assert str(peer.recv(READ_TIMEOUT_S)).startswith("44/admin,")
        else:
            closing_code(peer)


@pytest.mark.parametrize(
    "auth", ["[]", "7", '"x"', "null", "[" * 5_000, '{"token":{"a":[1]}}', '{"token":null}', "NaN"]
)
def test_odd_authentication_is_refused_or_closed(bridge: Bridge, errors: list[logging.LogRecord], auth: str) -> None:
    """Authentication of any shape but `{token}` gives no session."""
    with raw_socket(bridge) as peer:
        peer.send("40" + auth)
        with contextlib.suppress(ConnectionClosed):
            assert str(peer.recv(READ_TIMEOUT_S)).startswith(("44{", "1"))
    assert bridge.server.socket_count == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"\xff\xfe", 400), (b"4", 400), (b"5", 400), (b"d=40", 400), (b"d=", 400), (b"2probe", 400),
     (b"bAAAA", 400), (b"\x1e", 400), (b"x" * 70_000, 413), (b"\x1e".join([b"3"] * 300), 413), (b"3", 200)],
)  # fmt: skip
def test_polling_body_is_checked_before_it_is_read(
    bridge: Bridge, errors: list[logging.LogRecord], body: bytes, status: int
) -> None:
    """Rubbish in a polling request is a 4xx and the end of that session; no answer comes before the check."""
    url = f"{bridge.url}/api/ws/?EIO=4&transport=polling"
    sid = json.loads(requests.get(url, timeout=10).text[1:])["sid"]
    assert requests.post(f"{url}&sid={sid}", data=body, timeout=10).status_code == status
    ended = requests.post(f"{url}&sid={sid}", data=b"3", timeout=10).status_code == 400
    assert ended is (status != 200)


@pytest.mark.parametrize(
    "query", ["", "?EIO=2&transport=polling", "?EIO=4&transport=polling&sid=nobody", "?EIO=4&transport=carrier-pigeon",
              "?EIO=4&transport=polling&j=0", "?EIO=4&transport=websocket", "?EIO=4&transport=polling&sid=%ff%00"],
)  # fmt: skip
def test_odd_requests_are_refused(bridge: Bridge, query: str, caplog: pytest.LogCaptureFixture) -> None:
    """A request that is not the protocol's gets a 400, and no traceback."""
    assert requests.get(f"{bridge.url}/api/ws/{query}", timeout=10).status_code == 400
    assert requests.put(f"{bridge.url}/api/ws/?EIO=4&transport=polling", timeout=10).status_code == 405
    assert [record for record in caplog.records if record.exc_info] == []


def test_other_paths_are_not_the_sockets(bridge: Bridge) -> None:
    """Only the server's own path is taken; neighbours of a similar name are somebody else's."""
    for path in ("/", "/api", "/api/wsx", "/api/v1/ws"):
        assert requests.get(bridge.url + path, timeout=10).status_code == 204


def test_cut_off_upgrade_leaves_polling_alive(bridge: Bridge, clients: Clients, room: Room) -> None:
    """A websocket that dies in the middle of an upgrade leaves the session to polling, which goes on hearing."""
    url = f"{bridge.url}/api/ws/?EIO=4&transport=polling"
    sid = json.loads(requests.get(url, timeout=10).text[1:])["sid"]
    url += f"&sid={sid}"
    requests.post(url, data=f'40{{"token":"{token(room.member)}"}}', timeout=10)
    assert requests.get(url, timeout=10).text.startswith("40{")
    upgrade = url.replace("http", "ws").replace("polling", "websocket")
    with connect(upgrade, close_timeout=1) as peer:
        peer.send("2probe")
        assert peer.recv(READ_TIMEOUT_S) == "3probe"
    bridge.deliver(room.append("still here"))
    heard = ""
    for _ in range(20):
        heard += requests.get(url, timeout=10).text
        if "still here" in heard:
            return
    raise AssertionError(heard)


KINDS = ["4", "40", "41", "42", "43", "44", "45", "2", "3", "5", "6"]
EVENTS = ["subscribe:conversation", "unsubscribe:conversation", "typing", "message", "connect", "x"]
FIELDS = st.sampled_from(["conversationId", "isTyping", "afterSeq", "_placeholder"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=3),
    max_leaves=6,
)
packets = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=60),
    st.builds(lambda kind, rest: f"{kind}{rest}", st.sampled_from(KINDS), st.text(max_size=40)),
    st.builds(
        lambda name, arguments, ack: f"42{ack}{json.dumps([name, *arguments])}",
        st.sampled_from(EVENTS),
        st.lists(values, max_size=3),
        st.sampled_from(["", "0", "7", "99999999999999999999"]),
    ),
)


def test_no_sequence_of_frames_harms_the_others(
    bridge: Bridge, clients: Clients, room: Room, errors: list[logging.LogRecord]
) -> None:
    """After hundreds of hostile sockets the server lives, and a client that was there all the time heard everything."""
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id)

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(frames=st.lists(packets, min_size=1, max_size=8), signed_in=st.booleans())
    def attack(frames: list[str | bytes], *, signed_in: bool) -> None:
        with raw_socket(bridge) as peer, contextlib.suppress(ConnectionClosed):
            if signed_in:
                peer.send("40" + json.dumps({"token": token(room.owner)}))
            for frame in frames:
                peer.send(frame)
            peer.send("1")
            while True:
                peer.recv(READ_TIMEOUT_S)

    attack()
    bridge.deliver(room.append("unharmed"))
    assert client.wait_event("message")["content"] == "unharmed"
    assert client.count("disconnect") == 0
    client.close()
    wait_for(lambda: bridge.server.socket_count == 0, "every socket to be gone")


def test_reader_who_does_not_read_is_cut_off(
    database_url: str, clients: Clients, room: Room, conn: psycopg.Connection[DictRow]
) -> None:
    """A peer that takes nothing is disconnected, line and all; the reader beside it misses nothing."""
    bridge = Bridge(database_url, max_queued_packets=50).start()
    try:
        reader = clients.connect(bridge.url, room.member)
        reader.subscribe(room.id)
        address = urlsplit(bridge.url)
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.connect((address.hostname, address.port))
            deaf.settimeout(READ_TIMEOUT_S)
            with connect(_websocket_url(bridge), sock=deaf, close_timeout=1, max_queue=1, compression=None) as peer:
                assert str(peer.recv(READ_TIMEOUT_S)).startswith("0{")
                sign_in(peer, room)
                peer.send(f'42["subscribe:conversation","{room.id}"]')
                # From here nobody reads: the library takes one message ahead, then the kernel's small buffer fills.
                # What an operator asks for again is sent again, however often; anything else would be a repeat.
                events = [replace(event, is_replay=True) for event in room.append("x" * 4_000)]
                sent = 0
                while bridge.server.engine.cut_off == 0:
                    bridge.deliver(events)
                    sent += 1
                    assert sent < 5_000
                reader.wait_event("message", times=sent)
                assert bridge.server.socket_count == 1
                assert bridge.line_count_falls_to(1)
    finally:
        bridge.stop()


def _websocket_url(bridge: Bridge) -> str:
    return bridge.url.replace("http", "ws") + "/api/ws/?EIO=4&transport=websocket"
