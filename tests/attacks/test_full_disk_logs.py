"""Attack: fill the disk. What `up` writes of its processes' output is lost then; `up` and its processes are not."""

import json
import os
import signal
import threading
from pathlib import Path

from ops.machine.child import ProcessSpec
from ops.machine.log_file import LogFile
from ops.machine.supervisor import Supervisor
from tests.acceptance.stack import is_running
from tests.waiting import wait_for

FULL = Path("/dev/full")  # every write fails with ENOSPC, as the kernel says it


def events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


def test_a_process_goes_on_while_its_log_has_no_room(tmp_path: Path) -> None:
    """Its output is read on, so that it never stands still; when there is room, lines come again, and what is missing
    is said: once when it begins and once when it ends.
    """
    path, said = tmp_path / "postgres.log", list[str]()
    path.symlink_to(FULL)
    output, pen = os.pipe()
    log = LogFile(path, "postgres", say=said.append)
    pump = threading.Thread(target=log.pump, args=(os.fdopen(output, "rb"),), daemon=True)
    pump.start()
    with os.fdopen(pen, "wb") as process:
        for number in range(3000):  # more than the pipe holds: somebody must be reading
            process.write(f"lost {number} {'x' * 100}\n".encode())
        process.flush()
        wait_for(lambda: log.last_event.startswith("lost 2999"), "the last line to be read")
        assert len(said) == 1
        assert "No space left on device" in said[0]
        assert str(path) in said[0]
        path.unlink()
        process.write(b"there is room again\n")
    pump.join(10)
    assert not pump.is_alive()
    assert events(path) == ["3000 lines were lost: No space left on device", "there is room again"]
    assert len(said) == 2
    assert "3000 lines were lost" in said[1]


def test_a_process_is_started_without_room_for_its_log(tmp_path: Path) -> None:
    """Not even the file can be made; the process matters more."""
    said = list[str]()
    log = LogFile(tmp_path / "gone" / "bridge.log", "bridge", say=said.append)
    log.write("one")
    log.write("two")
    assert log.last_event == "two"
    assert len(said) == 1
    log.close()


def test_up_goes_on_when_it_cannot_write_down_its_processes(tmp_path: Path) -> None:
    """A process that died is started again, though ready.json cannot be written."""
    said = list[str]()
    supervisor = Supervisor(tmp_path, say=said.append, on_change=_write_down)
    supervisor.start(ProcessSpec(name="sleeper", command=("sleep", "60"), is_ready=lambda: True))
    try:
        os.kill(supervisor.pids["sleeper"], signal.SIGKILL)
        wait_for(supervisor.run_once, "a restart")
        assert is_running(supervisor.pids["sleeper"])
    finally:
        supervisor.stop()
    assert [line for line in said if "No space left on device" in line]


def _write_down() -> None:
    FULL.write_text("{}")
