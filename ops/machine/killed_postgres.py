"""Remains of a killed Postgres, in its data directory and among processes. Called before every start of one."""

import contextlib
import signal
import time
from pathlib import Path

import psutil

NOTICE_S = 2.0  # an idle backend sees within milliseconds that its server is gone; one that computes never looks
QUIT_TIMEOUT_S = 10.0  # after SIGQUIT it is gone at once, unless the machine is overloaded
SHARED_MEMORY_LINE = 6  # of postmaster.pid, counted from 0 (PostgreSQL's miscadmin.h): key and id


def clean_up(data_dir: Path) -> None:
    """End what still runs in `data_dir` without its server, and remove what would keep a new one from starting."""
    file = data_dir / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
        lines = file.read_text().splitlines()
        server, (_, segment) = int(lines[0]), lines[SHARED_MEMORY_LINE].split()
        if not _is_server(server) and _end_backends(data_dir, segment):
            # Postgres removes the file itself, unless the pid is somebody else's by now: common in containers.
            file.unlink()


def _is_server(pid: int) -> bool:
    """Whether that is a living Postgres: then the start is left to fail with Postgres's own words."""
    try:
        process = psutil.Process(pid)
        return process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _end_backends(data_dir: Path, segment: str) -> bool:
    """Return whether nobody uses the shared memory any more; if somebody does, Postgres will refuse to start."""
    if _wait_until_detached(segment, NOTICE_S):
        return True
    for process in psutil.process_iter(["cwd"]):
        if process.info["cwd"] == str(data_dir):  # every backend works in its data directory
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGQUIT)  # "quit at once", to a backend
    return _wait_until_detached(segment, QUIT_TIMEOUT_S)


def _wait_until_detached(segment: str, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while _is_attached(segment):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_attached(segment: str) -> bool:
    """Whether any process still uses the System V shared memory of that id (Linux; elsewhere nobody knows)."""
    rows = (line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:])
    return any(row[1] == segment and row[6] != "0" for row in rows)
