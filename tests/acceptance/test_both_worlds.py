"""One message reaches both worlds: official clients on both sides, real processes, real load."""

import json
import os
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from realtime_bridge.shared.tokens import mint_user_token
from tests.acceptance.both_sides import READY_TIMEOUT_S, SIDES, Account, listener, listening, make_account, shown
from tests.acceptance.chat import Team, ledger, summary
from tests.acceptance.python_listener import PythonListener
from tests.acceptance.stack import Stack, running
from tests.clients.node import NodeScript
from tests.waiting import wait_for

SENDERS, MESSAGES = 8, 2_000
DELIVERY_TIMEOUT_S = 90.0
BREAKER_TIMEOUT_S = 90.0  # five tries of ten seconds each
PACE_S = 0.1  # the run has to outlast the kills and the recoveries between them


@pytest.fixture
def account(stack: Stack) -> Account:
    return make_account(stack)


def test_every_client_gets_every_message_exactly_once_in_order(stack: Stack, account: Account) -> None:
    """8 senders, 50 conversations, 2,000 messages: each client sees each message once and in order, on both sides."""
    heard = account.conversations[:10]
    with (
        listening(stack, account, catch_up=False) as listeners,
        python_listener(stack, account.owner, heard) as python,
    ):
        team = start_team(stack, account).finish()
        for user, script in listeners.items():
            count = 2 * sum(len(team.promised(number)) for number in account.of(user))
            wait_for(lambda s=script, n=count: len(shown(s)) >= n, f"{count} messages", DELIVERY_TIMEOUT_S)  # type: ignore[misc]
        count = sum(len(team.promised(number)) for number in heard)
        wait_for(lambda: len(python.lines) >= count, "the Python client", DELIVERY_TIMEOUT_S)

    for user, script in listeners.items():
        print(summary(f"user {user[:8]}", shown(script)))  # noqa: T201 - the ledger is what this test is read for
        seen = ledger(shown(script))
        for number in account.of(user):
            for side in SIDES:
                assert seen[side, number].seqs == [answer.seq for answer in team.promised(number)], (side, number)
                assert seen[side, number].event_ids == [answer.event_id for answer in team.promised(number)]
    for number in heard:
        assert ledger(python.lines)["supabase", number].seqs == [answer.seq for answer in team.promised(number)]


def test_a_stranger_is_refused_on_both_sides(stack: Stack, account: Account) -> None:
    """A signed-in user who takes no part in a conversation joins neither its channel nor its room."""
    outsider, other = account.members
    foreign = account.of(other)[:1]
    stranger = Account(owner=outsider, members=("", ""), api_key=account.api_key, conversations=foreign)
    with listener(stack, stranger, outsider, catch_up=False) as script:
        legacy = script.wait_for(lambda line: line.get("side") == "legacy", 30)
        assert legacy["status"] == "refused"
        assert legacy["error"]["code"] == "not_found"
        supabase = script.wait_for(lambda line: line.get("side") == "supabase", 30)
        assert supabase["status"] == "CHANNEL_ERROR"
        assert "permissions" in supabase["error"]
        with python_listener(stack, outsider, foreign) as python:
            assert any("permissions" in refusal for refusal in python.refusals)
            Team.start(stack.ready["gatewayUrl"], account.api_key, foreign, senders=1, messages=3).finish()
            wait_for(
                lambda: all(sink_state(stack, side)["lagEvents"] == 0 for side in SIDES),
                "delivery of what the stranger must not see",
            )
        assert shown(script) == []
        assert python.lines == []


def test_kills_and_a_database_restart_lose_nothing(stack: Stack, account: Account) -> None:
    """Three `kill -9` of the bridge and one of Postgres during the run: what was answered 2xx arrives, in order.

    A legacy client that never catches up misses only what was said before it had subscribed again.
    """
    with (
        listening(stack, account, catch_up=True) as listeners,
        listener(stack, account, account.owner, catch_up=False) as careless,
    ):
        careless.wait_for(lambda line: line["type"] == "ready", READY_TIMEOUT_S)
        team = start_team(stack, account, pace_s=PACE_S)
        for number, name in enumerate(("bridge", "bridge", "postgres", "bridge"), start=1):
            wait_for(lambda n=number: team.answered_count >= n * MESSAGES // 6, "the next kill", DELIVERY_TIMEOUT_S)  # type: ignore[misc]
            kill(stack, name)
        assert team.answered_count < MESSAGES, "the kills must fall into the run"
        team.finish()
        for user, script in listeners.items():
            wanted = {(side, a.event_id) for n in account.of(user) for a in team.promised(n) for side in SIDES}
            wait_for(
                lambda s=script, w=wanted: w <= {(line["side"], line["eventId"]) for line in shown(s)},  # type: ignore[misc]
                f"everything answered to user {user}",
                DELIVERY_TIMEOUT_S,
            )
        for number in account.conversations:
            said = [answer.seq for answer in team.promised(number)]
            wait_for(
                lambda n=number, p=said: misses(careless, n, p) == [],  # type: ignore[misc]
                f"what was said in {number} while the careless client was subscribed",
                DELIVERY_TIMEOUT_S,
            )
        assert len(subscriptions(careless, account.conversations[0])) > 1, "the client must have come back"

    print(f"resends: {team.resends}")  # noqa: T201
    broadcast = stored_broadcasts(stack, account)
    promised_ids = {answer.event_id for number in account.conversations for answer in team.promised(number)}
    found = {event_id: broadcast[event_id] for event_id in promised_ids}
    if "Supabase is reached over HTTP now" in stack.log("bridge"):  # on a busy machine; what is posted is in no table
        assert set(found.values()) <= {0, 1}
    else:
        assert found == dict.fromkeys(promised_ids, 1)
    for user, script in listeners.items():
        print(summary(f"user {user[:8]}", shown(script)))  # noqa: T201
        for (side, conversation_id), entry in ledger(shown(script)).items():
            promised = team.promised(conversation_id)
            assert entry.first_seqs == [answer.seq for answer in promised], (side, conversation_id)
            named = {answer.seq: answer.event_id for answer in promised}
            assert all(named[seq] == id_ for seq, id_ in zip(entry.seqs, entry.event_ids, strict=True)), "same name"


def subscriptions(script: NodeScript, conversation_id: int) -> list[tuple[int, list[int]]]:
    """Return for each time a legacy client was subscribed: the newest seq at its start, and what came after that."""
    script.read_available()
    found: list[tuple[int, list[int]]] = []
    start: int | None = None
    heard: list[int] = []
    end = {"type": "status", "side": "legacy", "status": "disconnect"}
    for line in [*(line for line in script.lines if line.get("side") == "legacy"), end]:
        if line["type"] == "status" and line["status"] == "disconnect":
            if start is not None:
                found.append((start, [seq for seq in dict.fromkeys(heard) if seq > start]))
            start, heard = None, []
        elif line.get("conversationId") == conversation_id:
            if line["type"] == "joined":
                start = line["lastSeq"]
            elif line["type"] == "message":
                heard.append(line["seq"])
    return found


def misses(script: NodeScript, conversation_id: int, promised: list[int]) -> list[int]:
    """Return what should have come while the client was subscribed and did not, or came out of order."""
    missing: list[int] = []
    found = subscriptions(script, conversation_id)
    for number, (start, heard) in enumerate(found, start=1):
        end = heard[-1] if heard else start
        expected = [seq for seq in promised if seq > start and (number == len(found) or seq <= end)]
        missing += [] if heard == expected else expected or heard
    return missing


def test_a_hanging_supabase_delays_nobody_else_and_its_backlog_drains_in_order(
    place: Path,
) -> None:
    """HTTP transport, endpoint frozen: legacy goes on, the sink holds back and says so; thawed, everything comes."""
    with running(place / "data", environment={"CROSSFADE_SUPABASE_TRANSPORT": "http"}) as stack:
        ready = stack.ready
        account = Account(
            owner=ready["users"][0]["id"],
            members=("", ""),
            api_key=stack.create_key(),
            conversations=(ready["conversationId"],),
        )
        with listener(stack, account, account.owner, catch_up=False) as script:
            script.wait_for(lambda line: line["type"] == "ready", READY_TIMEOUT_S)
            os.kill(stack.pids["supabase"], signal.SIGSTOP)
            try:
                team = start_team(stack, account, messages=80).finish()
                wait_for(lambda: len(shown(script)) == 80, "the legacy side")
                assert {line["side"] for line in shown(script)} == {"legacy"}
                state = wait_for(lambda: held(stack, "supabase"), "the sink to say so", BREAKER_TIMEOUT_S)
                assert "did not answer in time" in (state["lastError"] or "") or "is away" in state["waitingFor"]
            finally:
                os.kill(stack.pids["supabase"], signal.SIGCONT)
            wait_for(lambda: len(ledger(shown(script))) == 2 and sink_state(stack, "supabase")["lagEvents"] == 0, "it")
            promised = [answer.seq for answer in team.promised(account.conversations[0])]
            wait_for(
                lambda: ledger(shown(script))["supabase", account.conversations[0]].first_seqs == promised,
                "the backlog, in order",
            )
        assert sink_state(stack, "supabase")["breaker"] == "closed"


def python_listener(stack: Stack, user: str, conversations: Sequence[int]) -> PythonListener:
    ready = stack.ready
    token = mint_user_token(ready["jwtSecret"], UUID(user), 3_600)
    return PythonListener(
        supabase_url=ready["supabaseUrl"], anon_key=ready["anonKey"], token=token, conversations=conversations
    )


def start_team(stack: Stack, account: Account, *, messages: int = MESSAGES, pace_s: float = 0.0) -> Team:
    url = stack.ready["gatewayUrl"]
    return Team.start(url, account.api_key, account.conversations, senders=SENDERS, messages=messages, pace_s=pace_s)


def sink_state(stack: Stack, sink: str) -> dict[str, Any]:
    """What `crossfade relay status` says of a sink."""
    rows = json.loads(stack.crossfade("relay", "status", "--json").stdout)
    return next(row for row in rows if row["sink"] == sink)


def held(stack: Stack, sink: str) -> dict[str, Any]:
    """What is said of a sink once its breaker is open, or it waits for the bridge's own seat, whichever is first."""
    state = sink_state(stack, sink)
    return state if state["breaker"] == "open" or state["waitingFor"] else {}


def stored_broadcasts(stack: Stack, account: Account) -> Counter[str]:
    """Under how many ids each event was handed to Realtime for a conversation: what no client's catch-up can hide.

    What was on its way when the database went is stored again afterwards, under the id by which clients know a repeat.
    """
    query = """
        select distinct payload ->> 'eventId', id from realtime.messages
        where topic = any(%s) and event = 'message.new'
    """
    topics = [f"conversation:{number}" for number in account.conversations]
    with psycopg.connect(stack.ready["databaseUrl"]) as connection:
        return Counter(row[0] for row in connection.execute(query, (topics,)))


def kill(stack: Stack, name: str) -> None:
    """`kill -9`, and wait until `up` has started it again."""
    pid = stack.pids[name]
    os.kill(pid, signal.SIGKILL)
    stack.wait_for_new_pid(name, pid)
