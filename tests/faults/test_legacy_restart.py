"""A bridge is restarted or killed under load: what old clients hear, who know the plain subscription only."""

import contextlib
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.clients.node import Script
from tests.factories import append_message, make_user
from tests.faults.balancer import Balancer
from tests.faults.bridge_process import BridgeProcess
from tests.integration.legacy.clients import Client, Clients, PythonClients
from tests.integration.legacy.conftest import Room, make_room, redis  # noqa: F401 - a fixture
from tests.integration.legacy.redis_server import RedisServer
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


def heard(*scripts: Script) -> dict[str, list[int]]:
    """Return the seqs of the messages that each socket was sent, in the order in which they came."""
    seqs: dict[str, list[int]] = defaultdict(list)
    for script in scripts:
        script.read_available()
        for line in script.lines:
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
        options: dict[str, Any] = {"reconnectionDelayMax": 300}
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


KILLS = 3
TIMEOUT_S = 400  # a bridge starts three times, on a machine that may be busy


def check_everything_was_heard(name: str, seqs: list[int]) -> None:
    """From its first message on a client was told all of them; what it heard first it heard in order."""
    firsts = list(dict.fromkeys(seqs))
    assert sorted(set(range(firsts[0], firsts[-1] + 1)) - set(firsts)) == [], name
    assert firsts == sorted(firsts)


def gather(url: str, room: Room, clients: Clients, pythons: PythonClients) -> list[Client]:
    """Connect a socket.io-client for each of nine users, and two of python-socketio."""
    users = [room.member, room.owner, *(make_user(room.connection, accounts=[room.owner]) for _ in range(7))]
    for user in users[2:]:
        room.connection.execute("insert into conversation_participants values (%s, %s, 'agent')", (room.id, user))
    options: dict[str, Any] = {"reconnectionDelay": 1_000, "randomizationFactor": 0.5, "only": "message"}
    crowd = [clients.open_old(url, user, room.id, **options) for user in users]
    return crowd + [pythons.open_old(url, user, room.id, kind="async", transport="websocket") for user in users[:2]]


def wait_for_report(room: Room, seq: int, *, bridges: int) -> None:
    """Wait until the bridges have said who is connected to them, and that they are beyond this event."""
    query = """
        select count(*) = %s and (
            select count(distinct l.user_id) from legacy_listeners l join bridge_reports b on b.bridge = l.bridge
            where l.sockets > 0 and b.seen_at > now() - interval '3 s'
        ) >= 9
        from bridge_reports where seen_at > now() - interval '3 s' and heard > (
            select id from chat_events where conversation_id = %s and seq = %s
        )
    """
    values = (bridges, room.id, seq)
    wait_for(lambda: room.connection.execute(query, values).fetchall()[0]["?column?"], "a report", 30)


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("is_alone", [True, False], ids=["alone", "redis"])
def test_a_killed_bridge_comes_back_and_nobody_misses_a_message(
    conn: psycopg.Connection[DictRow],
    database_url: str,
    redis: RedisServer,  # noqa: F811
    tmp_path: Path,
    is_alone: bool,
) -> None:
    """What was in flight when it was killed reaches every client that was connected, several times in a row."""
    room: Room = make_room(conn)
    environment = {} if is_alone else {"REDIS_URL": redis.url}
    with (
        BridgeProcess(database_url, tmp_path / "bridge.log", **environment) as bridge,
        Clients() as clients,
        PythonClients() as pythons,
    ):
        crowd = gather(bridge.url, room, clients, pythons)
        for kill in range(KILLS):
            told = room.last_seq
            with load(database_url, room.id):
                wait_until_all_heard(told + 1, crowd, clients, pythons)
                wait_for_report(room, told + 1, bridges=1)
                bridge.end(signal.SIGKILL)
                bridge.start()
                for client in crowd:
                    client.wait("connect", times=kill + 2, timeout_s=40)
            wait_until_all_heard(room.last_seq, crowd, clients, pythons)
        for name, seqs in heard(clients, pythons).items():
            check_everything_was_heard(name, seqs)


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("victim", ["holder", "other"])
def test_a_living_bridge_takes_over_and_nobody_misses_a_message(
    conn: psycopg.Connection[DictRow],
    database_url: str,
    redis: RedisServer,  # noqa: F811
    tmp_path: Path,
    victim: str,
) -> None:
    """Whether the bridge that is killed delivers or not: its clients go to the other one and hear what lies between."""
    room: Room = make_room(conn)
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    with contextlib.ExitStack() as stack:
        holder = stack.enter_context(BridgeProcess(database_url, logs[0], REDIS_URL=redis.url))
        other = BridgeProcess(database_url, logs[1], REDIS_URL=redis.url)
        stack.callback(other.end, signal.SIGKILL)
        other.start(state="standby")
        clients, pythons = stack.enter_context(Clients()), stack.enter_context(PythonClients())
        dying, living = (holder, other) if victim == "holder" else (other, holder)
        balancer = stack.enter_context(Balancer([dying.port, living.port]))
        crowd = gather(balancer.url, room, clients, pythons)
        with load(database_url, room.id):
            told = room.last_seq
            wait_until_all_heard(told + 1, crowd, clients, pythons)
            wait_for_report(room, told + 1, bridges=2)
            dying.end(signal.SIGKILL)
            for client in crowd:
                client.wait("connect", times=2, timeout_s=40)
        wait_until_all_heard(room.last_seq, crowd, clients, pythons)
        for name, seqs in heard(clients, pythons).items():
            check_everything_was_heard(name, seqs)


def wait_until_all_heard(seq: int, crowd: list[Client], *scripts: Script) -> None:
    """Wait until each has heard this message, or a later one; reads each line once, for there are many."""
    newest = {client.name: 0 for client in crowd}
    read = [0] * len(scripts)

    def is_heard() -> bool:
        for number, script in enumerate(scripts):
            script.read_available()
            for line in script.lines[read[number] :]:
                if line["is"] == "event" and line["event"] == "message":
                    newest[line["socket"]] = max(newest[line["socket"]], line["args"][0]["seq"])
            read[number] = len(script.lines)
        return min(newest.values()) >= seq

    wait_for(is_heard, f"everybody to hear {seq}", 120)
