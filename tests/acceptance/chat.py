"""A chat under load: senders over REST, listeners with the official clients, and a ledger of who saw what."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import requests

RETRY_S = 0.2
GIVE_UP_S = 60.0  # a restart of Postgres takes seconds; a sender that waits longer has met a real fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A message that was answered 2xx: from then on it is a promise."""

    conversation_id: int
    seq: int
    event_id: str


@dataclass(slots=True)
class Sender:
    """Sends its share of messages, each until it is answered; a resend carries the same clientMessageId."""

    gateway_url: str
    api_key: str
    conversations: Sequence[int]
    count: int
    answered: list[Answered] = field(default_factory=list)
    resends: int = 0
    unexpected: list[str] = field(default_factory=list)

    def run(self) -> None:
        with requests.Session() as session:
            session.headers["X-API-Key"] = self.api_key
            for number in range(self.count):
                self._send(session, self.conversations[number % len(self.conversations)], number)

    def _send(self, session: requests.Session, conversation_id: int, number: int) -> None:
        url = f"{self.gateway_url}/api/v1/chat/conversations/{conversation_id}/messages"
        body = {"content": f"message {number} ✓", "clientMessageId": str(uuid4())}
        deadline = time.monotonic() + GIVE_UP_S
        while True:
            try:
                answer = session.post(url, json=body, timeout=10)
            except requests.RequestException:
                answer = None
            if answer is not None and answer.status_code == requests.codes.created:
                data = answer.json()["data"]
                self.answered.append(
                    Answered(conversation_id=conversation_id, seq=data["seq"], event_id=data["eventId"])
                )
                return
            if answer is not None and answer.status_code < requests.codes.server_error:
                self.unexpected.append(f"{answer.status_code} {answer.text}")
                return
            if time.monotonic() > deadline:
                self.unexpected.append(f"no answer for {GIVE_UP_S} s")
                return
            self.resends += 1
            time.sleep(RETRY_S)


def send_all(gateway_url: str, api_key: str, conversations: Sequence[int], *, senders: int, messages: int) -> list[Sender]:
    """Start `senders` threads that share `messages` evenly; every sender writes into every conversation."""
    team = [Sender(gateway_url, api_key, _rotated(conversations, n), messages // senders) for n in range(senders)]
    threads = [threading.Thread(target=sender.run) for sender in team]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return team


def _rotated(items: Sequence[int], by: int) -> list[int]:
    return [*items[by:], *items[:by]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one client saw of one conversation on one side, in the order in which it was shown."""

    seqs: list[int]
    event_ids: list[str]

    @property
    def repeats(self) -> int:
        return len(self.event_ids) - len(set(self.event_ids))

    @property
    def first_seqs(self) -> list[int]:
        """Seqs without the repeats, which a client drops by event id."""
        known: set[str] = set()
        return [seq for seq, id_ in zip(self.seqs, self.event_ids, strict=True) if not (id_ in known or known.add(id_))]


def ledger(lines: Sequence[dict[str, Any]]) -> dict[tuple[str, int], Seen]:
    """Group a listener's lines by side and conversation."""
    seqs: dict[tuple[str, int], list[int]] = defaultdict(list)
    ids: dict[tuple[str, int], list[str]] = defaultdict(list)
    for line in lines:
        if line["type"] == "message":
            key = (line["side"], line["conversationId"])
            seqs[key].append(line["seq"])
            ids[key].append(line["eventId"])
    return {key: Seen(seqs=seqs[key], event_ids=ids[key]) for key in seqs}


def expected(team: Sequence[Sender], conversation_id: int) -> list[Answered]:
    """Everything that was promised in a conversation, in seq order."""
    ours = [answer for sender in team for answer in sender.answered if answer.conversation_id == conversation_id]
    return sorted(ours, key=lambda answer: answer.seq)


def summary(name: str, lines: Sequence[dict[str, Any]]) -> str:
    """One line of the ledger for a person to read."""
    seen = ledger(lines)
    sides = Counter[str]()
    repeats = Counter[str]()
    for (side, _), entry in seen.items():
        sides[side] += len(entry.seqs)
        repeats[side] += entry.repeats
    caught_up = Counter(line["side"] for line in lines if line["type"] == "message" and line["via"] == "catch-up")
    parts = [f"{side}: {sides[side]} shown, {caught_up[side]} by catch-up, {repeats[side]} repeats" for side in sorted(sides)]
    return f"{name}: " + "; ".join(parts)
