"""A bridge is restarted under load: what old clients hear, who know the plain subscription only."""

import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.factories import append_message
from tests.faults.bridge_process import BridgeProcess
from tests.integration.legacy.clients import Clients
from tests.integration.legacy.conftest import Room, make_room
from tests.waiting import wait_for

SOCKETS = 27
PER_S = 220


@contextmanager
def load(database_url: str, conversation_id: int) -> Iterator[None]:
    """Messages into one conversation, PER_S of them a second, while the block lasts."""
    over = threading.Event()

    def send() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            due = time.monotonic()
            while not over.is_set():
                append_message(connection, conversation_id)
                due = max(due + 1 / PER_S, time.monotonic() - 1)
                over.wait(max(0.0, due - time.monotonic()))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


def heard(clients: Clients) -> dict[str, list[int]]:
    """Return the seqs of the messages that each socket was sent, in the order in which they came."""
    clients.read_available()
    seqs: dict[str, list[int]] = defaultdict(list)
    for line in clients.lines:
        if line["is"] == "event" and line["event"] == "message":
            seqs[line["socket"]].append(line["args"][0]["seq"])
    return seqs


@pytest.mark.slow
def test_old_clients_hear_a_restarted_bridge_in_order(
    conn: psycopg.Connection[DictRow], database_url: str, tmp_path: Path
) -> None:
    """Whoever comes back hears the backlog and then what is new: all of it, once, and nothing older after newer."""
    room: Room = make_room(conn)
    with BridgeProcess(database_url, tmp_path / "bridge.log") as bridge, Clients() as clients:
        options = {"reconnectionDelayMax": 300}
        users = (room.member, room.owner)  # a user has at most twenty sockets
        crowd = [clients.open_old(bridge.url, users[number % 2], room.id, **options) for number in range(SOCKETS)]
        names = {client.name for client in crowd}
        with load(database_url, room.id):
            wait_for(lambda: heard(clients).keys() == names, "everybody to hear something")
            bridge.end(signal.SIGTERM)
            bridge.start()
            for client in crowd:
                client.wait("connect", times=2)
            told = room.last_seq
            wait_for(lambda: all(seqs[-1] > told for seqs in heard(clients).values()), "everybody to hear news", 40)
        last = room.last_seq
        wait_for(lambda: all(seqs[-1] == last for seqs in heard(clients).values()), "everybody to hear the last", 40)
        steps = {after - before for seqs in heard(clients).values() for before, after in pairwise(seqs)}
        assert steps == {1}
