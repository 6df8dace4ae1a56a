"""What clients have not taken of their answers, and how slowly they may bring their bodies."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gunicorn.http.body import Body, LengthReader  # type: ignore[import-untyped]
from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]

from gateway.errors import RequestTimeout
from gateway.process.connection import PACE_BYTES_S, Connection, Inlet, Outlet, Unsent, is_whole


@pytest.fixture
def connections() -> Iterator[list[Connection]]:
    """Three whose clients take nothing: what the kernel holds for them is full."""
    pairs = [socket.socketpair() for _ in range(3)]
    connections = [Connection(None, ours, None, None, patience_s=1.0) for ours, _ in pairs]
    for ours, _ in pairs:
        ours.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while ours.send(b"x"):
                pass
    yield connections
    for pair in pairs:
        for end in pair:
            end.close()


def test_the_largest_makes_room(connections: list[Connection]) -> None:
    """However many small ones come: who holds most loses its connection, nobody else, and can add no more to it."""
    small, large, last = connections
    unsent = Unsent(100)
    Outlet(small, unsent).sendall(b"x" * 10)
    Outlet(large, unsent).sendall(b"x" * 80)
    Outlet(last, unsent).sendall(b"x" * 30)
    assert [connection.is_cut_off for connection in connections] == [False, True, False]
    with pytest.raises(BrokenPipeError):
        Outlet(large, unsent).sendall(b"x")
    Outlet(small, unsent).sendall(b"x" * 60)
    assert not small.is_cut_off


def test_what_is_gone_is_forgotten(connections: list[Connection]) -> None:
    """So that nobody is cut off for what others have taken."""
    unsent = Unsent(100)
    for connection in connections:
        Outlet(connection, unsent).sendall(b"x" * 30)
        unsent.forget(connection)
        unsent.forget(connection)
    Outlet(connections[0], unsent).sendall(b"x" * 70)
    assert not connections[0].is_cut_off


def test_a_file_that_nobody_takes_ends(connections: list[Connection], tmp_path: Path) -> None:
    """As a broken pipe, of which the server says nothing."""
    (tmp_path / "file").write_bytes(b"x")
    with (tmp_path / "file").open("rb") as file, pytest.raises(BrokenPipeError):
        Outlet(connections[0], Unsent(100)).sendfile(file)


def test_a_body_has_time_for_its_size() -> None:
    """What has come at its pace may take longer than a request; then there is an end to it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        inlet = Inlet(ours, patience_s=0.1)
        theirs.sendall(b"x" * PACE_BYTES_S)
        assert len(inlet.recv(PACE_BYTES_S)) == PACE_BYTES_S
        time.sleep(0.3)
        theirs.sendall(b"y")
        assert inlet.recv(1) == b"y"
        with pytest.raises(RequestTimeout):
            inlet.recv(1)


def test_a_body_that_has_arrived_is_whole() -> None:
    """Also what nobody has read yet: most clients send head and body in two packets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        body = Body(LengthReader(SocketUnreader(Inlet(ours, patience_s=1.0)), 5))
        theirs.sendall(b"1234")
        assert not is_whole(body)
        theirs.sendall(b"5")
        assert is_whole(body)
