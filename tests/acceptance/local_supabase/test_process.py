"""The endpoint as a process: how it reports that it is ready, and how it ends."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from ops.local_supabase.launcher import LocalSupabase
from ops.local_supabase.settings import CLI_PUBLISHABLE_KEY
from tests.acceptance.local_supabase.guest import Guest

WAIT_S = 20.0
PROJECT_TEST = """
import json
import urllib.request


def test_somebody_elses_project(supabase_url, supabase_service_role_key, supabase_db, supabase_token):
    assert supabase_db.execute("select current_user").fetchone() == ("postgres",)
    assert supabase_token("00000000-0000-4000-8000-000000000001").count(".") == 2
    request = urllib.request.Request(
        f"{supabase_url}/realtime/v1/api/broadcast",
        data=json.dumps({"messages": [{"topic": "t", "event": "e", "payload": {}}]}).encode(),
        headers={"apikey": supabase_service_role_key, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 202
"""


def test_a_process_reports_itself_ready_and_closes_sockets_when_it_ends(
    local_supabase: LocalSupabase, tmp_path: Path
) -> None:
    """One structured line and a ready file; SIGTERM closes joined sockets with 1012 and exits with 0."""
    with endpoint_process(local_supabase, tmp_path, "0") as process:
        facts = wait_for_json(tmp_path / "ready.json", process)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"event": "ready", "process": "supabase", **facts}
        code = asyncio.run(closed_by(process, facts["url"]))
        assert code == 1012
        assert process.wait(WAIT_S) == 0


def test_a_taken_port_is_said_in_one_line(local_supabase: LocalSupabase, tmp_path: Path) -> None:
    """The process ends with 1 and names the port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with endpoint_process(local_supabase, tmp_path, port) as process:
            assert process.wait(WAIT_S) == 1
            assert process.stderr is not None
            assert f"Port {port} cannot be used" in process.stderr.read()


def test_bad_configuration_is_one_sentence(local_supabase: LocalSupabase, tmp_path: Path) -> None:
    """It names the variable."""
    with endpoint_process(local_supabase, tmp_path, "0", SUPABASE_JWT_SECRET="short") as process:
        assert process.wait(WAIT_S) == 1
        assert process.stderr is not None
        assert process.stderr.read().strip() == "SUPABASE_JWT_SECRET must have at least 32 bytes."


def test_the_command_prints_urls_and_keys_like_the_supabase_cli(open_directory: Path) -> None:
    """`crossfade supabase start` runs until it is told to stop, then leaves nothing behind."""
    command = [str(Path(sys.executable).with_name("crossfade")), "supabase", "start", "--port", "0", "--db-port", "0"]
    command += ["--json", "--data-dir", str(open_directory / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        assert facts["PUBLISHABLE_KEY"] == CLI_PUBLISHABLE_KEY
        assert facts["API_URL"].startswith("http://127.0.0.1:")
        assert facts["ANON_KEY"].count(".") == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 130
        port = int(facts["API_URL"].rpartition(":")[2])
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_public_channels_can_be_switched_off(local_supabase: LocalSupabase, tmp_path: Path) -> None:
    """`--private-only` refuses them as a project does that does not allow public access; without it they are open."""

    async def join(url: str) -> dict[str, Any]:
        address = f"{url.replace('http', 'ws', 1)}/realtime/v1/websocket?vsn=2.0.0&apikey={CLI_PUBLISHABLE_KEY}"
        async with asyncio.timeout(WAIT_S), connect(address) as connection:
            await connection.send('["1","1","realtime:room","phx_join",{"config":{}}]')
            answer: dict[str, Any] = json.loads(await connection.recv())[4]
            return answer

    with endpoint_process(local_supabase, tmp_path, "0", "--private-only", "--quick-refusals") as process:
        refused = asyncio.run(join(wait_for_json(tmp_path / "ready.json", process)["url"]))
        process.terminate()
    assert refused["response"] == {"reason": "PrivateOnly: This project only allows private channels"}
    assert asyncio.run(join(local_supabase.facts.api_url))["status"] == "ok"


def test_limits_and_a_late_slot_are_options(local_supabase: LocalSupabase, tmp_path: Path) -> None:
    """`--plan` takes a number, too; with `--slot-delay-s` HTTP answers long before the database is heard."""
    with endpoint_process(local_supabase, tmp_path, "0", "--plan", "3", "--slot-delay-s", "60") as process:
        url = wait_for_json(tmp_path / "ready.json", process)["url"]
        answer = requests.post(
            f"{url}/realtime/v1/api/broadcast",
            json={"messages": [{"topic": "room", "event": "e", "payload": {}}] * 4},
            headers={"apikey": CLI_PUBLISHABLE_KEY},
            timeout=WAIT_S,
        )
        assert (answer.status_code, answer.headers["x-rate-limit"]) == (429, "3")
        assert requests.get(f"{url}/healthcheck", timeout=WAIT_S).status_code == 503
        process.kill()
    with endpoint_process(local_supabase, tmp_path, "0", "--plan", "gold") as process:
        assert process.stderr is not None
        assert "'gold' is no plan: say unlimited, free, pro, team, or a number" in process.stderr.read()
        assert process.wait(WAIT_S) == 2


def supabase_start(data_dir: Path, *options: str) -> "subprocess.Popen[str]":
    command = [str(Path(sys.executable).with_name("crossfade")), "supabase", "start", "--data-dir", str(data_dir)]
    return subprocess.Popen([*command, "--json", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_what_is_in_the_way_of_the_command_is_one_sentence(open_directory: Path) -> None:
    """A foreign directory, one that is in use, a port that is taken, a port twice: exit code 1 and what to do."""
    foreign, mine, other = (open_directory / name for name in ("foreign", "mine", "other"))
    foreign.mkdir()
    (foreign / "thesis.tex").touch()
    with supabase_start(mine, "--port", "0", "--db-port", "0") as running:
        assert running.stdout is not None
        port = json.loads(running.stdout.readline())["API_URL"].rpartition(":")[2]
        for options, sentence in (
            ((foreign, "--port", "0"), "is not empty and was not made by Crossfade: choose another --data-dir."),
            ((mine, "--port", "0"), f"`crossfade supabase start` already runs on {mine} (pid {running.pid})"),
            ((other, "--port", port), "or choose another with --port (0 takes any free one)."),
            ((other, "--port", "0", "--db-port", port), "or choose another with --db-port (0 takes any free one)."),
            ((other, "--port", port, "--db-port", port), f"--port and --db-port are both {port}"),
        ):
            with supabase_start(*options) as refused:
                out, err = refused.communicate(timeout=WAIT_S)
            assert (refused.returncode, out) == (1, "")
            assert sentence in err
            assert "Traceback" not in err
        assert [path.name for path in foreign.iterdir()] == ["thesis.tex"]
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=WAIT_S)


def test_a_killed_command_is_cleared_away_by_the_next(open_directory: Path) -> None:
    """After `kill -9` its processes go on; the next start ends them, says so, and has the same port."""
    with supabase_start(open_directory / "data", "--port", "0", "--db-port", "0") as killed:
        assert killed.stdout is not None
        port = json.loads(killed.stdout.readline())["API_URL"].rpartition(":")[2]
        killed.kill()
    with supabase_start(open_directory / "data", "--port", port, "--db-port", "0") as again:
        assert again.stdout is not None
        assert json.loads(again.stdout.readline())["API_URL"].endswith(f":{port}")
        again.send_signal(signal.SIGTERM)
        _, err = again.communicate(timeout=WAIT_S)
    assert again.returncode == 0
    for line in ("Processes of an earlier run ended", "Postgres on port", f"Realtime and Auth on port {port}"):
        assert line in err


def test_the_pytest_plugin_serves_other_peoples_projects(tmp_path: Path) -> None:
    """Fixtures for URL, keys, database and user tokens, with warnings as errors."""
    (tmp_path / "test_project.py").write_text(PROJECT_TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "ops.local_supabase.pytest_plugin"]
    command += [
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        "--basetemp",
        str(tmp_path / "run"),
        str(tmp_path),
    ]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed" in result.stdout


def test_the_keys_of_the_supabase_cli_work_out_of_the_box(guest: Guest) -> None:
    """Publishable and secret key open a socket; an unknown one is refused."""
    facts = guest.running.facts

    async def status_of(key: str) -> int:
        url = f"{facts.api_url.replace('http', 'ws', 1)}/realtime/v1/websocket?vsn=1.0.0&apikey={key}"
        try:
            async with connect(url, proxy=None) as connection:
                await connection.send('{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"1"}')
                return 101 if "phx_reply" in str(await connection.recv()) else 0
        except Exception as error:  # noqa: BLE001 - whatever the client makes of a refused handshake
            return int(getattr(error, "response", None).status_code)  # type: ignore[union-attr]

    async def play() -> None:
        keys = (facts.publishable_key, facts.secret_key, facts.anon_key, "sb_publishable_unknown")
        assert [await status_of(key) for key in keys] == [101, 101, 101, 401]

    asyncio.run(play())


def endpoint_process(
    running: LocalSupabase, directory: Path, port: str, *options: str, **variables: str
) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "ops.local_supabase", "--port", port, *options]
    command += ["--database-url", running.admin_url, "--ready-file", str(directory / "ready.json")]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **variables}
    )


def wait_for_json(path: Path, process: "subprocess.Popen[str]") -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_S
    while not path.exists():
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.02)
    facts: dict[str, Any] = json.loads(path.read_text())
    return facts


async def closed_by(process: "subprocess.Popen[str]", url: str) -> int | None:
    """Join, end the process, and return the code the socket is closed with."""
    key = CLI_PUBLISHABLE_KEY
    async with connect(f"{url.replace('http', 'ws', 1)}/realtime/v1/websocket?vsn=2.0.0&apikey={key}") as connection:
        await connection.send('["1","1","realtime:room","phx_join",{"config":{}}]')
        assert "ok" in str(await connection.recv())
        process.terminate()
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    await connection.recv()
        except ConnectionClosed:
            return connection.close_code
