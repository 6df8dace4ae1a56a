"""A chat under load: senders over REST, listeners with the official clients, and a ledger of who saw what."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self
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
    pace_s: float = 0.0
    answered: list[Answered] = field(default_factory=list)
    resends: int = 0
    unexpected: list[str] = field(default_factory=list)

    def run(self) -> None:
        with requests.Session() as session:
            session.headers["X-API-Key"] = self.api_key
            for number in range(self.count):
                time.sleep(self.pace_s)
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


@dataclass(slots=True)
class Team:
    """Senders at work: they share the messages evenly, and each writes into every conversation."""

    members: list[Sender]
    threads: list[threading.Thread]

    @classmethod
    def start(
        cls,
        gateway_url: str,
        api_key: str,
        conversations: Sequence[int],
        *,
        senders: int,
        messages: int,
        pace_s: float = 0.0,
    ) -> Self:
        share = messages // senders
        members = [Sender(gateway_url, api_key, _rotated(conversations, n), share, pace_s) for n in range(senders)]
        threads = [threading.Thread(target=sender.run, daemon=True) for sender in members]
        for thread in threads:
            thread.start()
        return cls(members, threads)

    def finish(self) -> Self:
        """Wait for the last answer and check that every message got one."""
        for thread in self.threads:
            thread.join()
        assert [problem for sender in self.members for problem in sender.unexpected] == []
        assert self.answered_count == sum(sender.count for sender in self.members)
        return self

    @property
    def answered_count(self) -> int:
        return sum(len(sender.answered) for sender in self.members)

    @property
    def resends(self) -> int:
        return sum(sender.resends for sender in self.members)

    def promised(self, conversation_id: int) -> list[Answered]:
        """Everything that was answered 2xx in a conversation, in seq order; the seqs have no gap."""
        answers = [a for sender in self.members for a in sender.answered if a.conversation_id == conversation_id]
        answers.sort(key=lambda answer: answer.seq)
        assert [answer.seq for answer in answers] == list(range(1, len(answers) + 1)), conversation_id
        return answers


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
        """Seqs in order of first appearance: without the repeats, which a client drops by event id."""
        first: dict[str, int] = {}
        for event_id, seq in zip(self.event_ids, self.seqs, strict=True):
            first.setdefault(event_id, seq)
        return list(first.values())


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


def summary(name: str, lines: Sequence[dict[str, Any]]) -> str:
    """One line of the ledger for a person to read."""
    seen = ledger(lines)
    sides = Counter[str]()
    repeats = Counter[str]()
    for (side, _), entry in seen.items():
        sides[side] += len(entry.seqs)
        repeats[side] += entry.repeats
    caught_up = Counter(line["side"] for line in lines if line["type"] == "message" and line["via"] == "catch-up")
    parts = [
        f"{side}: {sides[side]} shown, {caught_up[side]} by catch-up, {repeats[side]} repeats" for side in sorted(sides)
    ]
    return f"{name}: " + "; ".join(parts)
