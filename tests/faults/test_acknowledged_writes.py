"""What was answered 2xx survives whatever breaks: processes are killed, frozen and restarted under load.

CROSSFADE_FAULTS=all breaks things seventeen times during some 8,600 writes; the suite does it three times.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
import requests

from tests.acceptance.both_sides import SIDES, Account, listening, make_account, shown
from tests.acceptance.chat import Team, ledger, summary
from tests.acceptance.stack import Stack, open_place, running
from tests.clients.node import NodeScript
from tests.waiting import wait_for

IS_ALL = os.environ.get("CROSSFADE_FAULTS") == "all"
SENDERS = 8
WRITES = 8_632 if IS_ALL else 600
PACE_S = 0.08  # of each sender: the load has to outlast the faults
PAUSE_S = 5.0 if IS_ALL else 1.0  # between two faults: `up` gives up on what dies five times within a minute
FROZEN_S = 3.0
FAULT_TIMEOUT_S = 60.0
DELIVERY_TIMEOUT_S = 120.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900 if IS_ALL else 180)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    name: str
    happen: Callable[[Stack], None]


def kill(process: str) -> Fault:
    """`kill -9`; `up` starts it again."""

    def happen(stack: Stack) -> None:
        pid = stack.pids[process]
        os.kill(pid, signal.SIGKILL)
        stack.wait_for_new_pid(process, pid, FAULT_TIMEOUT_S)

    return Fault(name=f"{process} killed", happen=happen)


def end(process: str) -> Fault:
    """A stop as an operator makes it, which finishes what is under way."""

    def happen(stack: Stack) -> None:
        pid = stack.pids[process]
        os.kill(pid, signal.SIGTERM)
        stack.wait_for_new_pid(process, pid, FAULT_TIMEOUT_S)

    return Fault(name=f"{process} restarted", happen=happen)


def freeze(process: str) -> Fault:
    """Stand still with all children, as a machine does that swaps or is moved."""

    def happen(stack: Stack) -> None:
        parent = psutil.Process(stack.pids[process])
        family = [parent, *parent.children(recursive=True)]
        _signal(family, signal.SIGSTOP)
        try:
            time.sleep(FROZEN_S)
        finally:
            _signal(family, signal.SIGCONT)

    return Fault(name=f"{process} frozen", happen=happen)


def _kill_worker(stack: Stack) -> None:
    master = psutil.Process(stack.pids["gateway"])
    workers = {child.pid for child in master.children()}
    worker = min(workers)
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: {child.pid for child in master.children()} - workers, "a new worker", FAULT_TIMEOUT_S)


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue  # a child that has just ended


WORKER_KILLED = Fault(name="a gateway worker killed", happen=_kill_worker)
FEW = (kill("gateway"), kill("supabase"), freeze("bridge"))
ALL = (
    kill("bridge"),
    WORKER_KILLED,
    freeze("supabase"),
    kill("postgres"),
    end("bridge"),
    kill("redis"),
    freeze("bridge"),
    kill("gateway"),
    kill("supabase"),
    freeze("postgres"),
    WORKER_KILLED,
    kill("bridge"),
    freeze("redis"),
    end("gateway"),
    kill("postgres"),
    freeze("gateway"),
    end("supabase"),
)


def test_every_acknowledged_write_survives() -> None:
    """Killed, frozen and restarted under load: each write that was answered is stored once, told once, and shown."""
    faults = ALL if IS_ALL else FEW
    with open_place() as place, running(place / "data") as stack:
        account = make_account(stack)
        with listening(stack, account, catch_up=True) as listeners:
            url = stack.ready["gatewayUrl"]
            team = Team.start(
                url, account.api_key, account.conversations, senders=SENDERS, messages=WRITES, pace_s=PACE_S
            )
            _break(stack, team, faults)
            team.finish()
            late = {user: _catch_up(script, account, user, team) for user, script in listeners.items()}
        stored = _stored(stack, account)
        told = _told(stack, account)
    promised = [answer for number in account.conversations for answer in team.promised(number)]
    print(f"\n{len(promised)} writes answered, {team.resends} resends, faults: {[fault.name for fault in faults]}")  # noqa: T201
    assert sorted(stored) == sorted((a.conversation_id, a.seq, a.event_id) for a in promised)
    assert [event_id for event_id in told if told.count(event_id) > 1] == []
    assert set(told) == {answer.event_id for answer in promised}
    for user, script in listeners.items():
        print(summary(f"user {user[:8]}", shown(script)), f"; only by the last catch-up: {late[user]}")  # noqa: T201
        _check_order(script, account, user, team)


def _break(stack: Stack, team: Team, faults: tuple[Fault, ...]) -> None:
    for fault in faults:
        before = team.answered_count
        fault.happen(stack)
        wait_for(lambda n=before: team.answered_count > n + SENDERS, f"writes after: {fault.name}", FAULT_TIMEOUT_S)  # type: ignore[misc]
        assert team.answered_count < WRITES, "the faults must fall into the run"
        time.sleep(PAUSE_S)


def _catch_up(script: NodeScript, account: Account, user: str, team: Team) -> int:
    """Ask the client to fetch once more what it lacks, as one does on waking; return how much it had not been shown."""
    wanted = {(side, a.event_id) for n in account.of(user) for a in team.promised(n) for side in SIDES}
    script.send(do="catch up")
    script.wait_for(lambda line: line["type"] == "asked")
    first = _names(shown(script))
    wait_for(lambda: wanted <= _names(shown(script)), f"everything answered to user {user}", DELIVERY_TIMEOUT_S)
    return len(wanted - first)


def _names(lines: Sequence[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(line["side"], line["eventId"]) for line in lines}


def _check_order(script: NodeScript, account: Account, user: str, team: Team) -> None:
    seen = ledger(shown(script))
    for number in account.of(user):
        promised = team.promised(number)
        for side in SIDES:
            assert seen[side, number].first_seqs == [answer.seq for answer in promised], (side, number)
            assert set(seen[side, number].event_ids) == {answer.event_id for answer in promised}, (side, number)


def _stored(stack: Stack, account: Account) -> list[tuple[int, int, str]]:
    """Return what the API shows of every conversation."""
    found = []
    for number in account.conversations:
        path, after = f"/conversations/{number}/messages", 0
        while True:
            page = _get(stack, account, path, after_seq=after, limit=100)
            found += [(number, message["seq"], message["eventId"]) for message in page["data"]]
            if not page["pagination"]["hasMore"]:
                break
            after = page["data"][-1]["seq"]
    return found


def _told(stack: Stack, account: Account) -> list[str]:
    """Return the ids of all `message.new` that catch-up tells from the beginning."""
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = _get(stack, account, "/events", types="message.new", limit=100, **after)
        found += [event["eventId"] for event in page["data"]]
        if not page["pagination"]["hasMore"]:
            return found
        after = {"after": page["pagination"]["nextCursor"]}


def _get(stack: Stack, account: Account, path: str, **query: Any) -> dict[str, Any]:
    answer = requests.get(
        f"{stack.ready['gatewayUrl']}/api/v1/chat{path}",
        params=query,
        headers={"X-API-Key": account.api_key},
        timeout=20,
    )
    assert answer.status_code == requests.codes.ok, answer.text
    return dict(answer.json())
