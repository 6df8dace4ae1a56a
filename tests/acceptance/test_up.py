"""`crossfade up` as a person meets it: the real command, the real processes, the printed lines."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import psutil
import pytest
import requests
from websockets.asyncio.client import connect

from ops.embedded.services import DEFAULTS
from realtime_bridge.network.bind_addresses import listen
from tests.acceptance.stack import ANY_PORTS, CROSSFADE, Stack, is_running, open_place, running

MISSPELT = "CROSSFADE_GATEWAY_TREADS"
PROCESSES = {"gateway", "bridge", "supabase", "postgres", "redis"}


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack of this file's own: its processes are killed."""
    environment = dict.fromkeys(DEFAULTS, "") | {MISSPELT: "8"}
    with open_place() as place, running(place / "data", environment=environment) as started:
        yield started


def refused(data_dir: Path, *options: str) -> str:
    """Run an `up` that must fail; return its one sentence."""
    command = [str(CROSSFADE), "up", "--data-dir", str(data_dir), *ANY_PORTS, *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1, result
    assert result.stdout == ""
    return result.stderr


def paste(line: str) -> str:
    """Run a line as a shell would that it was pasted into."""
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30, check=True).stdout


def curl_line(stack: Stack) -> str:
    (line,) = [line for line in stack.output.splitlines() if line.startswith("curl ")]
    return line


def get_conversation(ready: dict[str, object]) -> requests.Response:
    url = f"{ready['gatewayUrl']}/api/v1/chat/conversations/{ready['conversationId']}"
    return requests.get(url, headers={"X-API-Key": str(ready["apiKey"])}, timeout=10)


def test_ready_json_is_complete_and_private(own: Stack) -> None:
    """Scripts find every fact of the banner in a file that only its owner can read, like all that `up` keeps."""
    ready = own.ready
    assert set(ready) == {
        *("gatewayUrl", "bridgeUrl", "supabaseUrl", "databaseUrl", "redisUrl", "apiKey", "anonKey"),
        *("metricsUrl", "bridgeMetricsUrl"),
        *("serviceRoleKey", "jwtSecret", "users", "conversationId", "pids", "provider", "keyEnv"),
    }
    assert set(ready["pids"]) == PROCESSES
    assert all(is_running(pid) for pid in ready["pids"].values())
    assert [set(user) for user in ready["users"]] == [{"id", "token"}] * 2
    files = [file for file in own.data_dir.rglob("*") if file.is_file()]
    assert {"ready.json", "demo.json", "redis.log", "gateway.log"} <= {file.name for file in files}
    assert any(file.suffix == ".aof" for file in files)
    assert [file for file in files if file.stat().st_mode & 0o177] == []


def test_public_channels_open_on_request_only(own: Stack) -> None:
    """As the README advises for a real project."""
    assert "--private-only" in psutil.Process(own.pids["supabase"]).cmdline()


def test_figures_are_where_the_facts_say(own: Stack) -> None:
    """Of both processes, and on neither public port."""
    for url in (own.ready["metricsUrl"], own.ready["bridgeMetricsUrl"]):
        assert "# HELP" in requests.get(url, timeout=5).text
    for public in (own.ready["gatewayUrl"], own.ready["bridgeUrl"]):
        assert requests.get(f"{public}/metrics", timeout=5).status_code == 404


def test_the_printed_curl_line_can_be_pasted(own: Stack) -> None:
    """The banner's line sends a message as it stands, to conversation 1, which the README names, too."""
    assert "/conversations/1/messages" in curl_line(own)
    assert "HTTP/1.1 201" in paste(curl_line(own))


def test_the_demo_shows_every_message_on_both_sides(own: Stack) -> None:
    """`crossfade demo` ends well: both official clients got everything in order."""
    result = own.crossfade("demo", "--data-dir", str(own.data_dir), "--count", "3", "--json")
    *arrivals, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert {arrival["side"] for arrival in arrivals} == {"supabase", "socketio"}
    for side in ("supabase", "socketio"):
        assert last["summary"][side]["received"] == 3
        assert last["summary"][side]["inOrder"]


def test_the_printed_watch_line_shows_what_curl_sends(own: Stack) -> None:
    """A message that somebody else sends appears on both sides of a watching terminal."""
    (line,) = [line for line in own.output.splitlines() if " demo --watch" in line]
    with subprocess.Popen(["sh", "-c", f"exec {line}"], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        try:
            # The line says when it is watching: what is sent before nobody promises to show.
            assert "watching" in demo.stdout.readline()
            paste(curl_line(own))
            seen = {demo.stdout.readline().split()[0] for _ in range(2)}
        finally:
            demo.send_signal(signal.SIGINT)
        assert demo.wait(20) == 130
    assert seen == {"supabase", "socketio"}


def test_a_public_channel_is_refused(own: Stack) -> None:
    """Nobody waits for messages where none are ever sent: as on a project that allows private channels only."""
    answer = asyncio.run(asyncio.wait_for(join(own.ready, "conversation:1", private=False), 30))
    assert answer["status"] == "error"
    assert answer["response"]["reason"] == "PrivateOnly: This project only allows private channels"


async def join(ready: dict[str, Any], topic: str, *, private: bool) -> dict[str, Any]:
    """Join as a browser would and return the reply."""
    base = str(ready["supabaseUrl"]).replace("http", "ws", 1)
    async with connect(f"{base}/realtime/v1/websocket?vsn=2.0.0&apikey={ready['anonKey']}") as connection:
        payload = {"config": {"private": private}, "access_token": ready["users"][0]["token"]}
        await connection.send(json.dumps(["1", "1", f"realtime:{topic}", "phx_join", payload]))
        answer: dict[str, Any] = json.loads(await connection.recv())[4]
        return answer


def test_a_second_up_on_the_same_directory_is_refused(own: Stack) -> None:
    """One sentence names the pid of the first, which goes on."""
    sentence = refused(own.data_dir)
    assert f"already runs on {own.data_dir} (pid {own.process.pid})" in sentence
    assert get_conversation(own.ready).status_code == 200


def test_a_taken_port_is_one_sentence(place: Path) -> None:
    """The sentence names the port, its holder and the option that changes it; nothing stays behind."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        sentence = refused(place / "data", f"--gateway-port={port}")
    assert len(sentence.splitlines()) == 1
    assert f"Port {port} is taken by" in sentence
    assert f"(pid {os.getpid()})" in sentence
    assert "--gateway-port" in sentence
    assert not (place / "data" / "ready.json").exists()


def test_everything_that_is_wrong_is_told_before_anything_starts(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each variable, whichever process reads it; there is no database yet, and none is removed."""
    wrong = ("CHAT_REALTIME_PROVIDER", "CROSSFADE_GATEWAY_THREADS", "CROSSFADE_CANARY_RATE_PER_S", "CROSSFADE_ENV")
    for variable in wrong:
        monkeypatch.setenv(variable, "Carrier pigeon")
    kept = place / "data" / "postgres" / "kept"
    assert len(refused(place / "data").splitlines()) == len(wrong)
    assert not kept.parent.exists()
    kept.mkdir(parents=True)
    told = refused(place / "data", "--fresh")
    assert [variable for variable in wrong if f"{variable} must be" in told] == list(wrong)
    assert kept.exists()
    assert list((place / "data" / "logs").iterdir()) == []


def test_a_misspelt_variable_is_told_of(own: Stack) -> None:
    """By `up` at once, and by the processes in their logs."""
    told = f"{MISSPELT} is no variable of Crossfade, and changes nothing: did you mean CROSSFADE_GATEWAY_THREADS?"
    assert f"Warning: {told}" in own.errors
    for name in ("gateway", "bridge"):
        assert told in own.log(name)


def test_an_empty_variable_counts_as_unset(own: Stack) -> None:
    """That stack was started with all those empty that have a value here by default."""
    assert (own.ready["provider"], own.ready["keyEnv"]) == ("dual", "dev")


@pytest.mark.parametrize("name", ["gateway", "bridge", "supabase"])
def test_a_port_is_nobody_elses_while_its_process_is_dead(own: Stack, name: str) -> None:
    """Somebody tries to take it from the moment of a `kill -9` until there is a new process, and never gets it."""
    old, port = own.pids[name], urlsplit(own.ready[f"{name}Url"]).port or 0
    os.kill(old, signal.SIGKILL)

    def is_back() -> bool:
        with pytest.raises(OSError, match="in use"):
            listen("127.0.0.1", port).close()
        return own.pids[name] != old

    own.wait_until(is_back)
    own.wait_for_new_pid(name, old)


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_killed_process_comes_back(own: Stack, name: str) -> None:
    """After `kill -9` of any process there is a new pid in ready.json, one sentence, and everything works again."""
    old = own.pids[name]
    os.kill(old, signal.SIGKILL)
    new = own.wait_for_new_pid(name, old)
    own.wait_until(lambda: f"{name} died (killed by signal 9); restarted, now pid {new}" in own.errors)
    arguments = ("demo", "--data-dir", str(own.data_dir), "--count", "2")
    own.wait_until(lambda: own.crossfade(*arguments, check=False).returncode == 0, 60)
    assert own.pids == {**own.pids, name: new}


@pytest.mark.timeout(240)  # four starts of everything, one after the other
def test_ctrl_c_leaves_nothing_and_the_data_stays(place: Path) -> None:
    """Ctrl-C stops every process and removes ready.json; the next run has the same key and conversation."""
    data_dir = place / "data"
    first = Stack.start(data_dir)
    before = first.ready
    everybody = {child.pid for child in psutil.Process(first.process.pid).children(recursive=True)}
    assert len(everybody) > len(PROCESSES)
    assert first.stop(signal.SIGINT) == 130
    assert not [pid for pid in everybody if is_running(pid)]
    assert not (data_dir / "ready.json").exists()

    with running(data_dir) as second:
        after = second.ready
        assert (after["apiKey"], after["conversationId"]) == (before["apiKey"], before["conversationId"])
        assert [user["id"] for user in after["users"]] == [user["id"] for user in before["users"]]
        assert get_conversation(after).status_code == 200
        # Somebody tried `users forbid` and `users evict` on the demo's client: the demo says what helps, and it does.
        account = f"--account={after['users'][0]['id']}"
        second.crossfade("users", "forbid", "client@example.com", account)
        second.crossfade("users", "evict", "client@example.com")
        shut_out = second.crossfade("demo", "--data-dir", str(data_dir), "--count", "1", check=False)
        assert (shut_out.returncode, "stop `up` and start it again" in shut_out.stderr) == (1, True), shut_out
        assert "--data-dir" in shut_out.stderr

    with running(data_dir) as again:
        again.crossfade("demo", "--data-dir", str(data_dir), "--count", "1")

    with running(data_dir, "--fresh") as third:
        assert third.ready["apiKey"] != before["apiKey"]
        assert get_conversation({**third.ready, "apiKey": before["apiKey"]}).status_code == 401
        assert get_conversation(third.ready).status_code == 200


def test_commands_say_that_a_stack_was_killed(place: Path) -> None:
    """After `kill -9` of everything nobody is waited for, or blamed: one sentence, and what to type."""
    first = Stack.start(place / "data")
    family = [first.process.pid, *(child.pid for child in psutil.Process(first.process.pid).children(recursive=True))]
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    first.process.wait(10)
    first.wait_until(lambda: not any(is_running(pid) for pid in family))
    for words in (("demo",), ("relay", "status")):
        began = time.monotonic()
        said = subprocess.run(
            [CROSSFADE, *words, "--data-dir", place / "data"], capture_output=True, text=True, timeout=60, check=False
        )
        assert f"The stack on {place / 'data'} was killed, and nothing of it is left: start it again" in said.stderr
        assert (said.returncode, time.monotonic() - began < 10) == (1, True)


def test_what_a_killed_up_left_is_cleared(place: Path) -> None:
    """After `kill -9` of `up` itself the next one ends the orphans and goes on with the data."""
    first = Stack.start(place / "data")
    key, orphans = first.ready["apiKey"], first.pids
    first.process.kill()
    first.process.wait(10)
    with running(place / "data") as second:
        assert second.ready["apiKey"] == key
        assert not [pid for pid in orphans.values() if is_running(pid)]


def test_fresh_refuses_a_foreign_directory(place: Path) -> None:
    """`--fresh` never wipes what `up` did not make."""
    (place / "thesis.tex").touch()
    assert "not made by Crossfade" in refused(place, "--fresh")
    assert (place / "thesis.tex").exists()


def test_the_supabase_keys_are_those_of_the_cli_secret(own: Stack) -> None:
    """Whatever works against `supabase start` works here: same secret, keys with the right roles."""
    ready = own.ready
    for name, role in (("anonKey", "anon"), ("serviceRoleKey", "service_role")):
        assert jwt.decode(ready[name], ready["jwtSecret"], algorithms=["HS256"])["role"] == role
    assert ready["jwtSecret"] == "super-secret-jwt-token-with-at-least-32-characters-long"
