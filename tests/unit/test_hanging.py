"""A test that hangs fails alone and by its name, and whatever ends a run, no process of it stays."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
HANGING = """
import asyncio, socket, threading, time
import pytest

pytestmark = pytest.mark.timeout(0.4)

def test_sleep(): time.sleep(60)

def test_c_call():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.accept()

def test_idle_loop(): asyncio.run(asyncio.sleep(60))

def test_callback_that_hangs():
    async def scenario():
        asyncio.get_running_loop().call_soon(time.sleep, 60)
        await asyncio.sleep(60)
    asyncio.run(scenario())

def test_loop_that_never_rests():
    async def scenario():
        while True:
            await asyncio.sleep(0)
    asyncio.run(scenario())

def test_thread_join():
    thread = threading.Thread(target=time.sleep, args=(60,), daemon=True)
    thread.start()
    thread.join()

@pytest.fixture
def never(): time.sleep(60)

def test_fixture(never): pass

@pytest.fixture
def never_ends():
    yield
    time.sleep(60)

def test_teardown(never_ends): pass

def test_is_well(): pass
"""
DEAF = """
import signal, time
import pytest

@pytest.mark.timeout(0.4)
def test_hears_no_alarm():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    time.sleep(60)
"""
CHILDREN = """
import subprocess, time
from tests.conftest import postgres_server, redis_url

def test_waits({fixtures}):
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    print("CHILD", child.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "test_written.py"


def command(file: Path) -> list[str]:
    plugins = ["-p", "tests.guard", "-p", "tests.hanging", "-p", "no:cacheprovider"]
    return [
        sys.executable,
        "-m",
        "pytest",
        str(file),
        "--rootdir",
        str(ROOT),
        "-c",
        str(ROOT / "pyproject.toml"),
        *plugins,
    ]


def run(file: Path, grace_s: str, *options: str) -> str:
    environment = os.environ | {"CROSSFADE_TEST_GRACE_S": grace_s}
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_XDIST")}
    result = subprocess.run(
        [*command(file), *options], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode != 0
    return result.stdout + result.stderr


def test_a_hanging_test_fails_alone_and_by_its_name(written: Path) -> None:
    """In a sleep, in C, in event loops that rest or do not, in a join, in fixtures; the next test runs."""
    written.write_text(HANGING)
    said = run(written, "20")
    failed = set(re.findall(r"^(?:FAILED|ERROR) .*::(\w+)", said, re.MULTILINE))
    assert failed == set(re.findall(r"def (test_\w+)", HANGING)) - {"test_is_well"}, said
    assert "2 passed" in said  # the one that is well, and the call whose teardown hangs


def test_one_that_hears_no_alarm_is_named_and_ends_the_run(written: Path) -> None:
    written.write_text(DEAF)
    said = run(written, "0.5")
    assert re.search(r"TIMEOUT: .*::test_hears_no_alarm hangs", said), said


def test_in_a_worker_it_ends_that_worker_alone(written: Path) -> None:
    written.write_text(DEAF + "\n\ndef test_is_well(): pass\n")
    said = run(written, "0.5", "-n", "2")
    assert re.search(r"TIMEOUT: .*::test_hears_no_alarm hangs", said), said
    assert re.search(r"^FAILED .*::test_hears_no_alarm", said, re.MULTILINE), said
    assert "1 failed, 1 passed" in said


@pytest.mark.parametrize("way", ["SIGINT", "SIGTERM", "SIGKILL", "the tests are killed", "the group is killed"])
def test_whatever_ends_the_run_no_process_stays(written: Path, way: str) -> None:
    """Signals to the process that was started, a kill of the one that runs the tests, and of both at once.

    As a shell starts what runs in the background: with SIGINT ignored.
    """
    is_group = way == "the group is killed"
    written.write_text(CHILDREN.replace("{fixtures}", "postgres_server, redis_url" if is_group else "redis_url"))
    with subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command(written), "-s"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as started:
        assert started.stdout is not None
        child = next(int(found[1]) for line in started.stdout if (found := re.search(r"CHILD (\d+)", line)))
        of_run = psutil.Process(started.pid).children(recursive=True)
        assert {"sleep", "redis-server"} <= {process.name() for process in of_run}
        match way:
            case "the tests are killed":
                psutil.Process(started.pid).children()[0].kill()
            case "the group is killed":
                os.killpg(started.pid, signal.SIGKILL)
                os.kill(child, signal.SIGKILL)  # nobody is left who could; the servers see to it themselves
            case _:
                started.send_signal(signal.Signals[way])
        wait_for(lambda: not [one for one in of_run if is_alive(one)], "the end of every process", 30.0)


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
