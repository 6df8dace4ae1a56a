"""The README's clients, letter by letter, through what happens to clients: they hear again, and miss nothing."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.acceptance.stack import CROSSFADE, Stack, running
from tests.clients.documented import PYTHON, Program, command_of
from tests.servers.tcp_line import TcpLine
from tests.waiting import wait_for

CLIENTS = ("supabase.mjs", "socketio.mjs", PYTHON)
BEGUN = ("SUBSCRIBED", "subscribed", '{"watching"')
START_S = 60.0  # the packages may have to be installed first
TOKEN_S = 60  # the shortest life that a gateway gives
LATE_S = 5.0  # servers look each second; a client with 60 s left asks for another token
LONG_S = 17.0  # PyPI `realtime`'s default has given up for ever after 15
BACK_S = 75.0  # PyPI `realtime` waits for up to a minute between two tries


class Chat:
    """Writes into one conversation, and knows what every client must have shown of it."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self._url = f"{ready['gatewayUrl']}/api/v1/chat/conversations/{ready['conversationId']}/messages"
        self._headers = {"X-API-Key": ready["apiKey"]}
        self._said: list[str] = []

    def say(self, content: str) -> int:
        """Return the message's seq."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(self._url, json={"content": content}, headers=self._headers, timeout=10)
        assert answer.status_code == 201, answer.text
        self._said.append(content)
        return int(answer.json()["data"]["seq"])

    def check_heard(self, clients: Sequence[Program], after: str) -> None:
        """Every client shows all that was said, in order and once; and then what is live, when nothing is to fetch."""
        for what in ("shown", "live"):
            self.say(f"{what} after {after}")
            deadline = time.monotonic() + BACK_S
            for client in clients:
                while shown(client)[-1:] != self._said[-1:] and client.is_running() and time.monotonic() < deadline:
                    time.sleep(0.02)
                assert shown(client) == self._said, f"after {after}: {client.state}"

    def check_demo(self, demo: Program, after: str) -> None:
        """The demo shows what is live, on both sides, and fetches nothing: so something is said until it is back."""
        deadline = time.monotonic() + BACK_S
        while True:
            seq = self.say(f"for the demo after {after}")
            with contextlib.suppress(AssertionError):
                wait_for(lambda s=seq: _sides(demo, s) == {"supabase", "socketio"}, "both sides", 1.0)  # type: ignore[misc]
                return
            assert time.monotonic() < deadline, f"after {after}: {demo.state}"


def _sides(demo: Program, seq: int) -> set[str]:
    return {line["side"] for line in map(json.loads, demo.lines) if line.get("seq") == seq}


def shown(client: Program) -> list[str]:
    parts = [line.split(" ", 2) for line in client.lines]
    return [part[2] for part in parts if part[1:2] in (["message.new"], ["message"])]


def _has_begun(program: Program) -> bool:
    return any(line.startswith(BEGUN) for line in program.lines)


def supabase_of(ready: dict[str, Any], user: dict[str, str]) -> dict[str, Any]:
    """Return what a session of a stack that feeds both sides says of Supabase, to a user who is told legacy."""
    with requests.Session() as session:
        session.trust_env = False
        url, headers = f"{ready['gatewayUrl']}/api/v1/chat/realtime/sessions", {"X-API-Key": user["KEY"]}
        answer = session.post(url, json={"userId": user["USER_ID"]}, headers=headers, timeout=10)
    told = answer.json()["data"]
    assert (told["provider"], told["standby"]["provider"]) == ("socketio", "supabase")
    assert f"conversation:{user['CONVERSATION']}" in told["standby"]["topics"]
    side: dict[str, Any] = told["standby"]
    return side


@pytest.fixture
def stack(place: Path) -> Iterator[Stack]:
    with running(place / "data", environment={"CROSSFADE_SESSION_TTL_S": str(TOKEN_S)}) as started:
        yield started


@pytest.mark.slow
@pytest.mark.timeout(400)  # a minute for a token, and half a one for the longest wait between two tries
def test_the_documented_clients_come_back_and_miss_nothing(stack: Stack, place: Path) -> None:
    """After a cut of a second, a long absence, restarts, a token's end, and one while their backend does not answer."""
    ready = stack.ready
    with contextlib.ExitStack() as opened:

        def line_to(name: str) -> TcpLine:
            return opened.enter_context(TcpLine(urlsplit(ready[name]).port or 0))

        def start(command: Sequence[str], variables: dict[str, str]) -> Program:
            return opened.enter_context(Program(command, variables))

        gateway, supabase, bridge = line_to("gatewayUrl"), line_to("supabaseUrl"), line_to("bridgeUrl")
        user = {
            "KEY": stack.create_key(scopes="chat:read,chat:write,realtime:session"),
            "USER_ID": ready["users"][0]["id"],
            "CONVERSATION": str(ready["conversationId"]),
        }
        side = supabase_of(ready, user)
        user["SUPABASE_KEY"] = side["publicKey"]
        api = "/api/v1/chat"
        far = {"API": f"{ready['gatewayUrl']}{api}", "SUPABASE_URL": supabase.url, "BRIDGE_URL": bridge.url}
        alone = {"API": f"{gateway.url}{api}", "SUPABASE_URL": side["url"], "BRIDGE_URL": ready["bridgeUrl"]}
        clients, left_alone = (
            [start(command_of(name, place), user | addresses) for name in CLIENTS] for addresses in (far, alone)
        )
        (place / "ready.json").write_text(json.dumps(ready | {"supabaseUrl": supabase.url, "bridgeUrl": bridge.url}))
        demo = start([str(CROSSFADE), "demo", "--watch", "--json", f"--data-dir={place}"], {})
        for program in (*clients, *left_alone, demo):
            wait_for(lambda p=program: _has_begun(p) or not p.is_running(), "a program to begin", START_S)  # type: ignore[misc]
            assert program.is_running(), program.state
        chat = Chat(ready)
        chat.check_heard((*clients, *left_alone), "joining")
        began = time.monotonic()
        gateway.cut()

        for away_s, name in ((1.0, "a cut of a second"), (LONG_S, "a long absence")):
            supabase.cut()
            bridge.cut()
            chat.say(f"said during {name}")
            time.sleep(away_s)
            supabase.mend()
            bridge.mend()
            chat.check_heard(clients, name)
            chat.check_demo(demo, name)
        for process in ("supabase", "bridge"):
            old = stack.pids[process]
            os.kill(old, signal.SIGKILL)
            chat.say(f"said without {process}")
            stack.wait_for_new_pid(process, old)
            chat.check_heard(clients, f"the restart of {process}")
            chat.check_demo(demo, f"the restart of {process}")

        wait_for(lambda: time.monotonic() - began > TOKEN_S + LATE_S, "the end of the first tokens", TOKEN_S + LATE_S)
        chat.check_heard(clients, "the end of a token")
        gateway.mend()
        chat.check_heard(left_alone, "the end of a token while the backend did not answer")
