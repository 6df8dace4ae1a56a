"""What a killed `up` leaves behind."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ops.machine import leftovers

FAMILY = """
import subprocess, sys, time
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
print('up', flush=True)
time.sleep(60)
"""
BROKEN = ["", "[]", "{", "3", '{"bridge": 1}', '{"bridge": {"pid": "x"}}', '{"bridge": {"pid": -1, "startedAt": 1.5}}']


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        family = psutil.Process(process.pid).children()
        yield process
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        process.kill()


def test_recorded_processes_are_ended(tmp_path: Path, child: subprocess.Popen[str]) -> None:
    """A process that was noted is ended, and so is what it started."""
    file = tmp_path / "processes.json"
    leftovers.record(file, {"bridge": child.pid})
    assert leftovers.end(file) == ["bridge"]
    assert not psutil.pid_exists(child.pid)
    assert child.stdout is not None
    assert child.stdout.read() == ""  # the pipe closes only when the grandchild is gone as well
    assert not file.exists()


def test_a_pid_that_is_somebody_elses_by_now_is_spared(tmp_path: Path, child: subprocess.Popen[str]) -> None:
    """The start time tells that a pid was given to another process."""
    file = tmp_path / "processes.json"
    leftovers.record(file, {"bridge": child.pid})
    recorded = json.loads(file.read_text())
    recorded["bridge"]["startedAt"] -= 100
    file.write_text(json.dumps(recorded))
    assert leftovers.end(file) == []
    assert child.poll() is None


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_record_is_ignored(tmp_path: Path, content: str) -> None:
    """A half-written file stops nobody from starting."""
    file = tmp_path / "processes.json"
    file.write_text(content)
    assert leftovers.end(file) == []
