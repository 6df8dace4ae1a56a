"""The runner of all checks."""

import subprocess
import sys

import psutil

from ops import checks

LEAVE_ONE_BEHIND = """
import subprocess
from ops import checks

checks.SETTLE_S = 0.3
checks._adopt_orphans()
outcome = checks._run("leaky", ["sh", "-c", "{command}"], timeout_s=10)
assert outcome.failure == "", outcome
print(checks._check_nothing_left().failure)
print(checks._check_nothing_left().failure)
"""
SLOW = """
import subprocess, time
print('child', subprocess.Popen(['sleep', '62'], start_new_session=True).pid, flush=True)
time.sleep(60)
"""


def run(command: str) -> list[str]:
    """Run a step in a process of its own and return what the two looks for leftovers said."""
    script = LEAVE_ONE_BEHIND.replace("{command}", command)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return result.stdout.splitlines()[-2:]


def test_a_process_that_hides_in_its_own_session_is_found_and_ended() -> None:
    """A test that leaves a server behind fails the run, which names the server's command."""
    first, second = run("setsid sleep 61 >/dev/null 2>&1 &")
    assert first.startswith("still running: ")
    assert "'sleep 61'" in first
    assert second == ""


def test_a_selection_installs_nothing_beforehand() -> None:
    """Clients and browser are for all tests together; what a selection needs it gets when it is run."""
    assert checks._install(["tests/unit"]) == []


def test_a_process_on_its_way_out_is_given_a_moment() -> None:
    """What ends by itself within the moment is no leftover."""
    assert run("setsid sleep 0.1 >/dev/null 2>&1 &") == ["", ""]


def test_a_terminated_run_leaves_nothing_either() -> None:
    """When a time limit of the machine ends the run, what it started is ended first."""
    script = f"""
import sys
from ops import checks

checks.SETTLE_S = 0.3
checks._run_all = lambda _: checks._run("slow", [sys.executable, "-c", {SLOW!r}], timeout_s=60)
sys.exit(checks.main([]))
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        pid = next(int(line.split()[1]) for line in run.stdout if line.startswith("child"))
        run.terminate()
        rest = run.stdout.read()
        assert run.wait(30) == 130
    assert "still running" in rest
    assert not psutil.pid_exists(pid)
