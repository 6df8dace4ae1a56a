"""The dial, turned on a running stack: every process follows within a second, and clients are told on both sides."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest
import requests
from click.testing import CliRunner

from ops.cli.main import main
from realtime_bridge.rollout.dial.bucket import bucket_of
from realtime_bridge.rollout.dial.stages import FLAG
from tests.acceptance.both_sides import open_listener
from tests.acceptance.stack import Stack, open_place, running
from tests.clients.node import Line, NodeScript
from tests.factories import make_conversation, make_user
from tests.waiting import wait_for

pytestmark = pytest.mark.slow

SCOPES = "chat:read,chat:write,realtime:session"
BOUND_S = 5.0  # the promise is one second, and is printed; a machine that does ten other things may take longer
ASKS = 20  # enough that each of two workers is asked


class Chat:
    """One account with an early and a late user in one conversation, and an operator."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        with psycopg.connect(stack.ready["databaseUrl"], autocommit=True) as connection:
            self.owner = make_user(connection)
            self.early = next(u for u in iter(lambda: make_user(connection), None) if bucket_of(FLAG, u) < 1_000)
            self.late = next(u for u in iter(lambda: make_user(connection), None) if bucket_of(FLAG, u) >= 9_000)
            self.conversation = make_conversation(connection, self.owner, self.early, self.late)
        options = (f"--account={self.owner}", "--name=test", f"--scopes={SCOPES}")
        limits = ("--rate-limit=100000", "--send-rate-limit=100000", "--json")
        self.key = json.loads(stack.crossfade("keys", "create", *options, *limits).stdout)["key"]

    def rollout(self, *words: str) -> Any:
        """Run `crossfade rollout` in this process: its start would take longer than all it does."""
        environment = {"DATABASE_URL": self.stack.ready["databaseUrl"]}
        result = CliRunner().invoke(main, ["rollout", *words, "--json"], env=environment)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def turn(self, stage: str) -> float:
        """Turn the dial, whatever its gate; return the moment at which it was committed, or later."""
        leaving = ("--leave-behind", "100") if stage == "complete" else ()
        self.rollout("set", stage, "--force", "--why", "rehearsal", *leaving)
        return time.monotonic()

    def session(self, user: UUID) -> dict[str, Any]:
        answer = self._post("/realtime/sessions", {"userId": str(user)})
        return dict(answer["data"])

    def workers_know(self, version: int) -> bool:
        """Whether every one of several answers, enough to meet each worker, is of this version of the dial."""
        return all(self.session(self.early)["version"] == version for _ in range(ASKS))

    def send(self, content: str) -> None:
        self._post(f"/conversations/{self.conversation}/messages", {"content": content})

    def fed(self) -> dict[str, bool]:
        """Return what the bridge's own metrics say of the stage, for comparison with the dial."""
        text = requests.get(self.stack.ready["bridgeMetricsUrl"], timeout=5).text
        found = re.findall(r'crossfade_rollout_stage\{flag="[^"]+",stage="(\w+)"\} ([01])', text)
        return {stage: value == "1" for stage, value in found}

    def is_at(self, stage: str) -> bool:
        return self.fed().get(stage, False)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        url = f"{self.stack.ready['gatewayUrl']}/api/v1/chat{path}"
        answer = requests.post(url, headers={"X-API-Key": self.key}, json=body, timeout=10)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


@pytest.fixture(scope="module")
def chat() -> Iterator[Chat]:
    """A stack of this file's own that follows the dial; the canary is off, so that the gate turns nothing."""
    environment = {"CHAT_REALTIME_PROVIDER": "rollout", "CROSSFADE_CANARY": "off"}
    with open_place() as place, running(place / "data", environment=environment) as stack:
        yield Chat(stack)


@pytest.fixture(autouse=True)
def at_off(chat: Chat) -> None:
    chat.rollout("rollback")
    wait_for(lambda: chat.fed().get("off"), "the dial at off")


def listener(chat: Chat, user: UUID) -> NodeScript:
    """One user's official JavaScript clients on both sides at once: shows what each side is fed."""
    return open_listener(chat.stack, str(user), [chat.conversation])


def seen(script: NodeScript) -> list[tuple[str, int]]:
    """Return (side, seq) of every message so far."""
    script.read_available()
    return [(line["side"], line["seq"]) for line in script.lines if line["type"] == "message"]


def has_seen(script: NodeScript, count: int) -> bool:
    return len(seen(script)) >= count


def test_every_process_follows_within_a_second(chat: Chat) -> None:
    """All gateway workers and the bridge, up and back by the kill switch; `pytest -s` prints how long it took."""
    for stage, early in (("shadow", "socketio"), ("10", "supabase"), ("25", "supabase"), ("off", "socketio")):
        if stage == "off":
            chat.rollout("rollback", "--why", "complaints")
            committed = time.monotonic()
        else:
            committed = chat.turn(stage)
        version = chat.rollout("status")["version"]
        wait_for(
            partial(chat.is_at, stage if stage in ("shadow", "off") else "ramp"), f"the bridge at {stage}", BOUND_S
        )
        wait_for(partial(chat.workers_know, version), f"every worker at {stage}", BOUND_S)
        print(f"{stage}: everywhere {time.monotonic() - committed:.2f} s after the commit")  # noqa: T201 - the figure is the point
        assert (chat.session(chat.early)["provider"], chat.session(chat.late)["provider"]) == (early, "socketio")
    line = chat.rollout("audit", "--limit", "1")[0]
    assert (line["action"], line["why"], line["toStage"]) == ("rollback", "complaints", "off")


def test_each_stage_feeds_what_it_says_and_a_side_goes_on_from_now(chat: Chat) -> None:
    """Legacy until complete, Supabase from shadow on; what a side was not fed never comes later."""
    fed = {"off": ["legacy"], "complete": ["supabase"]}
    with listener(chat, chat.late) as script:
        script.wait_for(lambda line: line["type"] == "ready", 60)
        expected: list[tuple[str, int]] = []
        for stage in ("off", "shadow", "10", "25", "50", "75", "100", "complete", "100"):
            if stage != "off":
                chat.turn(stage)
                name = stage if stage in fed or stage == "shadow" else "ramp"
                wait_for(partial(chat.is_at, name), f"the bridge at {stage}", BOUND_S)
            chat.send(stage)
            seq = chat.session(chat.late)["catchUp"][0]["seq"]
            expected += [(side, seq) for side in fed.get(stage, ["legacy", "supabase"])]
            wait_for(partial(has_seen, script, len(expected)), f"{stage} to be heard")
        assert sorted(seen(script)) == sorted(expected)


def test_clients_are_told_on_both_sides(chat: Chat) -> None:
    """`rollout.changed` reaches the early user, whose answer changes, and not the late one: up and down again."""
    chat.turn("shadow")
    told = {user: chat.session(user) for user in (chat.early, chat.late)}
    with NodeScript("rollout/notices.mjs") as script:
        for user, session in told.items():
            script.send(do="listen", user=str(user), token=session["token"], **addresses(chat))
        for _ in told:
            script.wait_for(lambda line: line["is"] == "listening", 30)
        committed = chat.turn("10")
        notices = wait_for(lambda: both_sides(script, chat.early), "notices on both sides", 5)
        assert time.monotonic() - committed < 5
        assert {notice["version"] for notice in notices} == {chat.session(chat.early)["version"]}
        assert chat.session(chat.early)["provider"] == "supabase"
        script.lines.clear()
        chat.rollout("rollback")
        wait_for(lambda: both_sides(script, chat.early), "notices after the rollback", 5)
        assert not notices_of(script, chat.late)


def test_an_override_tells_its_user(chat: Chat) -> None:
    """A late user is moved alone, and asked to ask again."""
    chat.turn("shadow")
    session = chat.session(chat.late)
    with NodeScript("rollout/notices.mjs") as script:
        script.send(do="listen", user=str(chat.late), token=session["token"], **addresses(chat))
        script.wait_for(lambda line: line.get("is") == "listening", 30)
        chat.rollout("override", "add", "user", str(chat.late), "supabase", "--why", "our tester")
        wait_for(lambda: both_sides(script, chat.late), "notices on both sides", 5)
    assert chat.session(chat.late)["reason"]["source"] == "override"
    chat.rollout("override", "remove", "user", str(chat.late))
    wait_for(lambda: chat.session(chat.late)["provider"] == "socketio", "the bucket again", BOUND_S)


def test_a_dead_database_keeps_the_stage(chat: Chat) -> None:
    """Postgres is killed and comes back: no process changes its mind, and the dial can be turned again."""
    chat.turn("shadow")
    chat.turn("10")
    wait_for(lambda: chat.fed().get("ramp"), "the bridge at 10 %")
    stack = chat.stack
    old = stack.pids["postgres"]
    os.kill(old, signal.SIGKILL)
    assert chat.fed()["ramp"]
    stack.wait_for_new_pid("postgres", old)
    wait_for(lambda: answered(chat).get("provider") == "supabase", "the gateway", 30)
    assert chat.fed()["ramp"]
    chat.turn("25")
    version = chat.rollout("status")["version"]
    wait_for(lambda: answered(chat).get("version") == version, "the new version", 30)


def test_status_of_a_running_stack_knows_its_bridge(chat: Chat) -> None:
    """Somebody follows the dial, the gate waits for samples, and the next command is there to type."""
    chat.turn("shadow")
    wait_for(lambda: chat.rollout("status")["hasKeeper"], "the bridge to judge", 30)
    status = chat.rollout("status")
    assert status["gate"]["outcome"] == "hold"
    assert status["next"] == "crossfade rollout gate"


def answered(chat: Chat) -> dict[str, Any]:
    """Return a session, or nothing from a worker whose database is only coming back."""
    try:
        return chat.session(chat.early)
    except (AssertionError, requests.RequestException):
        return {}


def addresses(chat: Chat) -> dict[str, str]:
    ready = chat.stack.ready
    return {"supabaseUrl": ready["supabaseUrl"], "anonKey": ready["anonKey"], "bridgeUrl": ready["bridgeUrl"]}


def notices_of(script: NodeScript, user: UUID) -> list[Line]:
    script.read_available()
    return [line for line in script.lines if line.get("is") == "told" and line["user"] == str(user)]


def both_sides(script: NodeScript, user: UUID) -> list[Line]:
    """Return the user's notices once there is one from each side."""
    notices = notices_of(script, user)
    return notices if {line["side"] for line in notices} == {"supabase", "socketio"} else []
