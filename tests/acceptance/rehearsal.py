"""A rehearsed rollout: users on official clients in a ring of conversations, and the ledger of what each was shown."""

import json
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
from click.testing import CliRunner

from ops.cli.main import main
from realtime_bridge.rollout.dial.bucket import bucket_of
from realtime_bridge.rollout.dial.stages import FLAG
from tests.acceptance.stack import Stack
from tests.clients.node import HERE, NodeScript, Script
from tests.factories import make_conversation
from tests.waiting import wait_for

EARLY, LATE = 1_000, 7_500  # buckets: told Supabase at 10 %, and not yet at 75 %
PER_SCRIPT = 50
READY_TIMEOUT_S = 120.0
DELIVERY_TIMEOUT_S = 120.0
SCOPES = "chat:read,chat:write,realtime:session"
Line = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """A ring: conversation n joins user n and the next one. In one half of it neighbours differ in when they switch."""

    ids: tuple[UUID, ...]
    conversations: tuple[int, ...]
    api_key: str

    def of(self, number: int) -> list[int]:
        return [self.conversations[number], self.conversations[number - 1]]

    @property
    def crossing(self) -> int:
        """Conversations whose members are on different sides from 10 to 75 %."""
        buckets = [bucket_of(FLAG, user) for user in self.ids]
        pairs = zip(buckets, [*buckets[1:], buckets[0]], strict=True)
        return sum(min(pair) < EARLY and max(pair) >= LATE for pair in pairs)


def invite(stack: Stack, count: int) -> Users:
    ids = tuple(_user(number, count) for number in range(count))
    owner = next(user for user in iter(uuid4, None) if bucket_of(FLAG, user) >= LATE)  # who has no client counts late
    with psycopg.connect(stack.ready["databaseUrl"], autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into auth.users (id, aud, role, email) values (%s, 'authenticated', 'authenticated', %s)",
                [(user, f"{user}@example.com") for user in (owner, *ids)],
            )
        conversations = tuple(
            make_conversation(connection, owner, ids[number], ids[(number + 1) % count]) for number in range(count)
        )
    options = (f"--account={owner}", "--name=rehearsal", f"--scopes={SCOPES}")
    limits = ("--rate-limit=100000", "--send-rate-limit=100000", "--json")
    key = json.loads(stack.crossfade("keys", "create", *options, *limits).stdout)["key"]
    return Users(ids=ids, conversations=conversations, api_key=key)


def _user(number: int, count: int) -> UUID:
    """Return an id; in the first half of the ring early and late switchers take turns."""
    while True:
        user = uuid4()
        bucket = bucket_of(FLAG, user)
        if number >= count // 2 or (bucket < EARLY if number % 2 else bucket >= LATE):
            return user


def keeps_standby(number: int) -> bool:
    """Whether a user holds on to the standby: one half, of early and late switchers and of each language."""
    return number % 4 < 2


@dataclass(slots=True)
class Crowds:
    """The client processes, half of the users on JavaScript and half on Python."""

    users: Users
    scripts: list[Script]
    lines: list[Line] = field(default_factory=list)

    def read(self) -> list[Line]:
        """Return everything that was said so far."""
        self.lines.clear()
        for script in self.scripts:
            script.read_available()
            self.lines.extend(script.lines)
        return self.lines

    def of(self, kind: str) -> list[Line]:
        return [line for line in self.lines if line["type"] == kind]

    def hush(self) -> None:
        """Stop the sending and wait until every user has an answer to the last message."""
        for script in self.scripts:
            script.send(do="hush")
        count = len(self.users.ids)
        wait_for(lambda: self.read() and len(self.of("hushed")) == count, "the last answers", DELIVERY_TIMEOUT_S)

    def missing(self) -> int:
        """Return how many messages have not been shown to a member of their conversation."""
        self.read()
        sent = Counter(line["conversationId"] for line in self.of("sent"))
        return 2 * sent.total() - len(self.of("message"))


@contextmanager
def gathered(stack: Stack, users: Users, *, pace_ms: int) -> Iterator[Crowds]:
    """Start the clients and wait until every user is in; they talk from then on."""
    with ExitStack() as running:
        scripts = []
        per_script = min(PER_SCRIPT, len(users.ids) // 2)
        for place, start in enumerate(range(0, len(users.ids), per_script)):
            members = range(start, min(start + per_script, len(users.ids)))
            config = json.dumps(
                {
                    "gatewayUrl": stack.ready["gatewayUrl"],
                    "bridgeUrl": stack.ready["bridgeUrl"],
                    "apiKey": users.api_key,
                    "users": [
                        {
                            "id": str(users.ids[n]),
                            "conversations": users.of(n),
                            "keepsStandby": keeps_standby(n),
                        }
                        for n in members
                    ],
                    "paceMs": pace_ms,
                    "askAgainMs": 20_000,
                }
            )
            is_python = place % 2
            script = (
                Script(sys.executable, str(HERE / "crowd.py"), config)
                if is_python
                else NodeScript("chat/crowd.mjs", config)
            )
            scripts.append(running.enter_context(script))
        for script in scripts:
            script.wait_for(lambda line: line["type"] == "ready", READY_TIMEOUT_S)
        yield Crowds(users, scripts)


def turn(stack: Stack, stage: str) -> None:
    """Turn the dial as an operator does who does not wait for the gate (in this process: it starts a second sooner)."""
    command = ["rollback"] if stage == "rollback" else ["set", stage, "--force"]
    command += ["--leave-behind=1000"] if stage == "complete" else []  # some have not asked yet; they will
    environment = {"DATABASE_URL": stack.ready["databaseUrl"]}
    done = CliRunner().invoke(main, ["rollout", *command, "--why=rehearsal"], env=environment)
    assert done.exit_code == 0, done.output


def kill_bridge(stack: Stack) -> None:
    pid = stack.pids["bridge"]
    os.kill(pid, signal.SIGKILL)
    stack.wait_for_new_pid("bridge", pid)


def check(crowds: Crowds) -> None:
    """For every user: seen = sent in its conversations, in order, none twice, each under the name it was sent with."""
    promised: dict[int, dict[int, str]] = defaultdict(dict)
    for line in crowds.of("sent"):
        promised[line["conversationId"]][line["seq"]] = line["eventId"]
    shown: dict[tuple[str, int], list[tuple[int, str]]] = defaultdict(list)
    for line in crowds.of("message"):
        shown[line["user"], line["conversationId"]].append((line["seq"], line["eventId"]))
    for number, user in enumerate(crowds.users.ids):
        for conversation_id in crowds.users.of(number):
            wanted = sorted(promised[conversation_id].items())
            assert [seq for seq, _ in wanted] == list(range(1, len(wanted) + 1)), "seq is gapless"
            assert shown[str(user), conversation_id] == wanted, (user, conversation_id)


def print_ledger(crowds: Crowds, stages: Sequence[str], kills: int, started: float) -> None:
    via = Counter(line["via"] for line in crowds.of("message"))
    joined = Counter((line["provider"], line["why"]) for line in crowds.of("joined"))
    resent = sum(line["tries"] - 1 for line in crowds.of("sent"))
    rows = (
        ("users", f"{len(crowds.users.ids)}, {crowds.users.crossing} conversations across providers"),
        ("  who keep a standby", str(sum(keeps_standby(n) for n in range(len(crowds.users.ids))))),
        ("dial", " → ".join(stages)),
        ("kills of the bridge", str(kills)),
        ("seconds", f"{time.monotonic() - started:.0f}"),
        ("sent", f"{len(crowds.of('sent'))} ({resent} tries without an answer)"),
        ("seen", f"{len(crowds.of('message'))} = twice what was sent"),
        ("  live on Socket.IO", str(via["socketio"])),
        ("  live on Supabase", str(via["supabase"])),
        ("  by catch-up", str(via["catch-up"])),
        ("repeats dropped by eventId", str(len(crowds.of("repeat")))),
        ("changes of side", str(sum(joined.values()) - len(crowds.users.ids))),
        ("  when told", str(sum(count for (_, why), count in joined.items() if why == "told"))),
        ("  on reconnecting", str(sum(count for (_, why), count in joined.items() if why == "reconnected"))),
        ("  when asking again", str(sum(count for (_, why), count in joined.items() if why == "time"))),
    )
    print()  # noqa: T201 - the ledger is what this test is read for
    for name, value in rows:
        print(f"{name:<28} {value}")  # noqa: T201
