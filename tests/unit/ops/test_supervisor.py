"""The supervisor, with small scripts in place of the real processes."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ops.errors import OpsError
from ops.machine.child import ProcessSpec
from ops.machine.supervisor import MAX_DEATHS, Stopped, Supervisor

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
FAMILY = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


class Setting:
    """A supervisor in a directory, and what it said."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.said: list[str] = []
        self.stop = False
        self.changes = 0
        self.now = 0.0
        self.supervisor = Supervisor(
            directory,
            say=self.said.append,
            on_change=self._count,
            should_stop=lambda: self.stop,
            clock=lambda: time.monotonic() + self.now,
        )

    def spec(self, name: str, script: str, **options: object) -> ProcessSpec:
        values: dict[str, object] = {"is_ready": lambda: True, "stop_timeout_s": 5.0, **options}
        return ProcessSpec(name=name, command=(sys.executable, "-c", script), environment=os.environ, **values)  # type: ignore[arg-type]

    def run_until(self, condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, self.said
            self.supervisor.run_once()
            time.sleep(0.01)

    def _count(self) -> None:
        self.changes += 1


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    setting = Setting(tmp_path)
    yield setting
    setting.supervisor.stop()


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_restarts_a_killed_process_and_says_so(setting: Setting) -> None:
    """A child that is killed comes back with a new pid, and one sentence tells what happened."""
    setting.supervisor.start(setting.spec("bridge", SLEEPER))
    old = setting.supervisor.pids["bridge"]
    os.kill(old, signal.SIGKILL)
    setting.run_until(lambda: setting.said)
    new = setting.supervisor.pids["bridge"]
    assert new != old
    assert setting.said == [f"bridge died (killed by signal 9); restarted, now pid {new}"]
    assert setting.changes == 2


def test_gives_up_on_a_process_that_keeps_dying(setting: Setting) -> None:
    """Five deaths within a minute end the attempt, with the last words and the place of the log."""
    setting.supervisor.start(setting.spec("bridge", "print('no luck today'); raise SystemExit(3)"))
    with pytest.raises(OpsError) as raised:
        setting.run_until(lambda: False)
    assert f"bridge died {MAX_DEATHS} times within 60 s (last: exited with code 3)" in str(raised.value)
    assert "its last words: no luck today" in str(raised.value)
    assert str(setting.directory / "bridge.log") in str(raised.value)
    assert len(setting.said) == MAX_DEATHS - 1


def test_forgets_deaths_that_are_long_ago(setting: Setting) -> None:
    """Deaths more than a minute apart never add up."""
    setting.supervisor.start(setting.spec("bridge", SLEEPER))
    for count in range(1, MAX_DEATHS + 2):
        os.kill(setting.supervisor.pids["bridge"], signal.SIGKILL)
        setting.run_until(lambda count=count: len(setting.said) == count)  # type: ignore[misc]
        setting.now += 61


def test_one_death_delays_no_other_restart(setting: Setting) -> None:
    """Two processes that die together both come back."""
    setting.supervisor.start(setting.spec("one", SLEEPER), setting.spec("two", SLEEPER))
    for pid in setting.supervisor.pids.values():
        os.kill(pid, signal.SIGKILL)
    setting.run_until(lambda: len(setting.said) == 2)
    assert {sentence.split()[0] for sentence in setting.said} == {"one", "two"}


def test_stop_ends_grandchildren_too(setting: Setting) -> None:
    """Nothing of a process's group is left after the stop."""
    setting.supervisor.start(setting.spec("family", FAMILY))
    parent = psutil.Process(setting.supervisor.pids["family"])
    setting.run_until(parent.children)
    (child,) = parent.children()
    setting.supervisor.stop()
    assert is_gone(parent.pid)
    setting.run_until(lambda: is_gone(child.pid))


def test_grandchildren_of_a_killed_process_do_not_stay(setting: Setting) -> None:
    """A restart does not leave the old workers behind: they would hold the port."""
    setting.supervisor.start(setting.spec("family", FAMILY))
    parent = psutil.Process(setting.supervisor.pids["family"])
    setting.run_until(parent.children)
    (child,) = parent.children()
    os.kill(parent.pid, signal.SIGKILL)
    setting.run_until(lambda: setting.said and is_gone(child.pid))


def test_stop_kills_what_ignores_the_signal(setting: Setting) -> None:
    """A process that does not listen is ended when its time is over."""
    log = setting.directory / "stubborn.log"
    setting.supervisor.start(
        setting.spec("stubborn", STUBBORN, stop_timeout_s=0.2, is_ready=lambda: "up" in log.read_text())
    )
    pid = setting.supervisor.pids["stubborn"]
    setting.supervisor.stop()
    assert is_gone(pid)


def test_stops_in_reverse_order(setting: Setting) -> None:
    """What was started last is stopped first, so that nobody loses what it needs."""
    script = (
        "import signal, sys, time\n"
        "def end(*_):\n    open({file!r}, 'a').write('{name} '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(60)"
    )
    order = setting.directory / "order"
    for name in ("first", "second"):
        log = setting.directory / f"{name}.log"
        ready = lambda log=log: "up" in log.read_text()  # noqa: E731
        setting.supervisor.start(setting.spec(name, script.format(file=str(order), name=name), is_ready=ready))
    setting.supervisor.stop()
    assert order.read_text() == "second first "


def test_a_process_that_dies_at_the_start_is_an_error(setting: Setting) -> None:
    """A start that fails says why, in the process's own last words."""
    spec = setting.spec(
        "gateway", "import sys; sys.exit('Set DATABASE_URL: it has no default.')", is_ready=lambda: False
    )
    with pytest.raises(OpsError, match=r"gateway did not start \(exited with code 1\); .* Set DATABASE_URL"):
        setting.supervisor.start(spec)


def test_a_silent_process_is_an_error(setting: Setting) -> None:
    """A start that does not answer in time is given up."""
    with pytest.raises(OpsError, match=r"gateway did not answer within 0 s"):
        setting.supervisor.start(setting.spec("gateway", SLEEPER, is_ready=lambda: False, start_timeout_s=0.2))


def test_a_stop_during_the_start_is_heard(setting: Setting) -> None:
    """Ctrl-C while something is still starting ends the start."""
    setting.stop = True
    with pytest.raises(Stopped):
        setting.supervisor.start(setting.spec("gateway", SLEEPER, is_ready=lambda: False))
