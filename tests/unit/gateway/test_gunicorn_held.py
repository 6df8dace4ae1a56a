"""What connections make a worker hold."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gateway.process.held_bytes import Held


@dataclass(eq=False)
class Holder:
    """A connection, and its other end."""

    sock: socket.socket
    peer: socket.socket

    @property
    def is_cut_off(self) -> bool:
        self.peer.setblocking(False)
        try:
            return self.peer.recv(1) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def holders() -> Iterator[list[Holder]]:
    pairs = [socket.socketpair() for _ in range(3)]
    yield [Holder(ours, theirs) for ours, theirs in pairs]
    for pair in pairs:
        for end in pair:
            end.close()


def test_the_largest_makes_room(holders: list[Holder]) -> None:
    """However many small ones come: who holds most loses its connection, and nobody else."""
    small, large, last = holders
    held = Held(100)
    held.add(small, 10)
    held.add(large, 80)
    held.add(last, 30)
    assert [holder.is_cut_off for holder in holders] == [False, True, False]
    held.remove(large, 80)  # the loop clears up
    held.add(small, 60)
    assert not small.is_cut_off


def test_what_is_gone_is_forgotten(holders: list[Holder]) -> None:
    """Also what held nothing, so that no connection is kept by being counted."""
    held = Held(100)
    for holder in holders:
        held.add(holder, 0)
        held.add(holder, 20)
        held.remove(holder, 15)
        held.remove(holder, 15)
        held.remove(holder, 0)
    assert held._sizes == {}
    held.add(holders[0], 100)
    assert not holders[0].is_cut_off
