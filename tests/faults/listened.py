"""A chat that goes on whatever breaks: one writer at a steady pace, one listener a conversation, and what each heard.

Nobody catches up over REST here: what a client is shown, its socket has brought.
"""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any
from uuid import UUID

import psycopg

from gateway.database import Database
from gateway.domain.messages import Direction, MessageType
from gateway.services.messages import append_message
from realtime_bridge.event_log.append import NewMessage
from tests.acceptance.both_sides import READY_TIMEOUT_S, SIDES, open_listener, shown
from tests.acceptance.chat import ledger
from tests.acceptance.stack import Stack
from tests.clients.node import NodeScript
from tests.factories import make_conversation, make_user

PARTICIPANTS = 4  # their inboxes and the conversation: five broadcasts a message
LAG_S = 1.0  # a writer that stood still makes up for so much of it, and no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A committed message, and when it was."""

    conversation_id: int
    seq: int
    event_id: str
    at: float


@dataclass(slots=True)
class Room:
    """Conversations of one account, and the user who listens to each."""

    account_id: UUID
    listeners: dict[UUID, list[int]]

    @property
    def conversations(self) -> list[int]:
        return [number for numbers in self.listeners.values() for number in numbers]


def make_room(stack: Stack, *, listeners: int, each: int) -> Room:
    """Make conversations of PARTICIPANTS users; `each` of them for each of the listeners."""
    with psycopg.connect(stack.ready["databaseUrl"], autocommit=True) as connection:
        account_id, *others = (make_user(connection) for _ in range(PARTICIPANTS - 1))
        return Room(
            account_id,
            {
                user: [make_conversation(connection, account_id, user, *others) for _ in range(each)]
                for user in [make_user(connection) for _ in range(listeners)]
            },
        )


class Writer:
    """Writes as the gateway does, by its own service, into the conversations in turn."""

    def __init__(self, database_url: str, room: Room, per_s: float) -> None:
        self.written: list[Written] = []
        self._url = database_url
        self._room = room
        self._pause_s = 1 / per_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def start(self) -> None:
        self._thread.start()

    def _write(self) -> None:
        database = Database(self._url, pool_size=1)
        due, numbers = time.monotonic(), self._room.conversations
        try:
            while not self._over.is_set():
                number = numbers[len(self.written) % len(numbers)]
                answer = append_message(database, self._room.account_id, number, _message(len(self.written)))
                stored = json.loads(answer.representation)
                self.written.append(
                    Written(conversation_id=number, seq=stored["seq"], event_id=stored["eventId"], at=time.time())
                )
                due = max(due + self._pause_s, time.monotonic() - LAG_S)
                self._over.wait(max(0.0, due - time.monotonic()))
        finally:
            database.close()


def _message(number: int) -> NewMessage:
    return NewMessage(
        content=f"message {number}",
        message_type=MessageType.TEXT,
        direction=Direction.OUTGOING,
        client_message_id=None,
        sender_id=None,
        reply_to_id=None,
        metadata="{}",
    )


@contextmanager
def writing(stack: Stack, room: Room, per_s: float) -> Iterator[Writer]:
    writer = Writer(stack.ready["databaseUrl"], room, per_s)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()


@dataclass(slots=True)
class Heard:
    """What the clients of both sides were shown. A client is a user on a side."""

    room: Room
    scripts: dict[UUID, NodeScript]
    sides: Sequence[str] = SIDES
    _first: dict[tuple[UUID, str], dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    _read: dict[UUID, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def clients(self) -> list[tuple[UUID, str]]:
        return [(user, side) for side in self.sides for user in self.scripts]

    def first(self, client: tuple[UUID, str]) -> dict[str, float]:
        """Return when a client was first shown each event, so far."""
        user, _ = client
        self.scripts[user].read_available()
        lines = self.scripts[user].lines
        for line in lines[self._read[user] :]:
            if line["type"] == "message":
                self._first[user, line["side"]].setdefault(line["eventId"], line["at"])
        self._read[user] = len(lines)
        return self._first[client]

    def wanted(self, client: tuple[UUID, str], written: Sequence[Written]) -> list[Written]:
        return [one for one in written if one.conversation_id in self.room.listeners[client[0]]]

    def missing(self, written: Sequence[Written]) -> dict[tuple[UUID, str], list[Written]]:
        """Return for each client what it has not been shown."""
        return {
            client: [one for one in self.wanted(client, written) if one.event_id not in first]
            for client in self.clients
            if (first := self.first(client)) is not None
        }

    def longest_wait_s(self, client: tuple[UUID, str], written: Sequence[Written]) -> float:
        """Return the longest time between a commit and the client's screen, of what has arrived there."""
        first = self.first(client)
        waits = [first[one.event_id] - one.at for one in self.wanted(client, written) if one.event_id in first]
        return max(waits, default=0.0)

    def inversions(self, client: tuple[UUID, str]) -> int:
        """Return how often something was first shown after what is newer in its conversation."""
        user, side = client
        seen = ledger(shown(self.scripts[user]))
        orders = [seen[side, number].first_seqs for number in self.room.listeners[user] if (side, number) in seen]
        return sum(late < newest for seqs in orders for newest, late in _beside_newest(seqs))

    def is_whole(self, written: Sequence[Written]) -> bool:
        return not any(self.missing(written).values())

    def is_back(self, since: float, written: Sequence[Written]) -> bool:
        """Whether every client has been shown something that was written after `since`."""
        later = {one.event_id for one in written if one.at > since}
        return all(later & self.first(client).keys() for client in self.clients)


def _beside_newest(seqs: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pair each seq with the newest that was shown before it."""
    return zip(accumulate(seqs, max), seqs[1:], strict=False)


@contextmanager
def listening(stack: Stack, room: Room, sides: Sequence[str] = SIDES) -> Iterator[Heard]:
    """A user for each few conversations, with the official clients of both sides, until the block ends."""
    with ExitStack() as running:
        scripts = {
            user: running.enter_context(open_listener(stack, str(user), numbers, sides=sides))
            for user, numbers in room.listeners.items()
        }
        for script in scripts.values():
            script.wait_for(lambda line: line["type"] == "ready", READY_TIMEOUT_S)
        yield Heard(room, scripts, sides)


def table(heard: Heard, written: Sequence[Written]) -> list[dict[str, Any]]:
    """Return a row for each client: what it should have, lost, saw in the wrong order, and waited for longest."""
    missing = heard.missing(written)
    return [
        {
            "side": client[1],
            "user": str(client[0])[:8],
            "wanted": len(heard.wanted(client, written)),
            "lost": len(missing[client]),
            "inverted": heard.inversions(client),
            "longest wait": f"{heard.longest_wait_s(client, written):.1f} s",
        }
        for client in heard.clients
    ]
