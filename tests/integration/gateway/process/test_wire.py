"""What is said on the wire: broken, in pieces, too long, or no HTTP at all."""

import json
import socket

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.factories import make_conversation, make_key, make_user
from tests.integration.gateway.process.conftest import LIST
from tests.servers.gateway_server import GatewayServer


def test_a_chunked_body_is_stopped_at_the_limit(gateway: GatewayServer, conn: psycopg.Connection[DictRow]) -> None:
    """Without a Content-Length the body is counted while it is read: 413."""
    account = make_user(conn)
    conversation = make_conversation(conn, account)
    key = make_key(conn, account)
    head = (
        f"POST {LIST}/{conversation}/messages HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    small = b'{"content": "chunked"}'
    large = b'{"content": "' + b"x" * 70_000 + b'"}'
    for body, status in ((small, b"201"), (large, b"413")):
        chunks = [body[at : at + 4096] for at in range(0, len(body), 4096)]
        framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
            connection.sendall(head.encode() + framed)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 " + status), answer
        assert (b"application/problem+json" in answer) is (status == b"413")


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"-2\r\n{}\r\n0\r\n\r\n",
        b"\r\n{}\r\n0\r\n\r\n",
        b"2;a\rb\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}}}0\r\n\r\n",
        b"2\r\n{}\r\n0\r\nNot a trailer\r\n\r\n",
        b"2;" + b"x" * 9_000,
    ],
)
def test_a_broken_chunk_is_the_clients_fault(
    gateway: GatewayServer, conn: psycopg.Connection[DictRow], body: bytes
) -> None:
    """400 and the end of the connection, since nobody knows where a next request would begin; no traceback."""
    key = make_key(conn, make_user(conn))
    head = f"POST {LIST} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + body)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert b"\r\nConnection: close\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "bad_request"
    assert not [line for line in gateway.lines() if line["event"] == "request_failed"]


def test_requests_in_pieces_and_in_one_piece_are_answered_in_turn(
    gateway: GatewayServer, conn: psycopg.Connection[DictRow]
) -> None:
    """Three at once on one connection, then one byte by byte on the same one: four answers, in order."""
    account = make_user(conn)
    key, conversation = make_key(conn, account), make_conversation(conn, account)
    path = f"{LIST}/{conversation}/messages"

    def post(content: str, connection: str = "keep-alive") -> bytes:
        body = json.dumps({"content": content}).encode()
        lines = (f"POST {path} HTTP/1.1", "Host: x", f"X-API-Key: {key}", f"Connection: {connection}")
        head = "\r\n".join((*lines, "Content-Type: application/json", f"Content-Length: {len(body)}", "", ""))
        return head.encode() + body

    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(post("one") + post("two") + post("three"))
        for byte in post("four", "close"):
            connection.sendall(bytes([byte]))
        answers = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answers.count(b"HTTP/1.1 201 ") == 4
    stored = conn.execute("select content from chat_messages order by seq").fetchall()
    assert [row["content"] for row in stored] == ["one", "two", "three", "four"]


def test_a_body_that_waits_for_our_word_is_taken(gateway: GatewayServer, conn: psycopg.Connection[DictRow]) -> None:
    """`Expect: 100-continue`, as curl sends it with large bodies: 100 first, then the answer."""
    account = make_user(conn)
    key, conversation = make_key(conn, account), make_conversation(conn, account)
    body = json.dumps({"content": "expected"}).encode()
    head = (
        f"POST {LIST}/{conversation}/messages HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(12) == b"HTTP/1.1 201"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"431"),
    ],
)
def test_what_is_not_http_is_refused_as_a_problem_too(gateway: GatewayServer, raw: bytes, status: bytes) -> None:
    """Gunicorn's own refusals look like everybody else's."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(raw)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 " + status), answer
    assert b"application/problem+json" in answer
    document = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert str(document["status"]).encode() == status
    assert document["requestId"]
