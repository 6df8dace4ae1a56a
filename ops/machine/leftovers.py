"""Leftovers of a killed `up` or `supabase start`.

Recorded while it runs, recognised by pid and start time, ended by the next one on the same directory.

Never by name: another stack on the same machine has processes of the same names.
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

import psutil

from ops.machine.private_files import write_private

SAME_START_S = 0.5  # start times are exact to a clock tick; a pid is not used twice within it
STOP_TIMEOUT_S = 15.0  # as long as a stop of ours may take
KILL_TIMEOUT_S = 5.0


def record(file: Path, pids: Mapping[str, int]) -> None:
    """Note the running processes, so that a later run can find them."""
    running = {}
    for name, pid in pids.items():
        with contextlib.suppress(psutil.Error):
            running[name] = {"pid": pid, "startedAt": psutil.Process(pid).create_time()}
    write_private(file, json.dumps(running) + "\n")


def is_dead(file: Path) -> bool:
    """Whether nothing is left of what `record` noted: whoever noted it was killed, too, for else there is no note."""
    return file.exists() and not _find(file)


def end(file: Path) -> list[str]:
    """End what `record` noted and what these have started; return the names of what was still running."""
    found = _find(file)
    family: set[psutil.Process] = set()
    for process in found.values():
        with contextlib.suppress(psutil.Error):
            family |= set(process.children(recursive=True))
    for name, process in found.items():
        with contextlib.suppress(psutil.Error):
            process.send_signal(2 if name == "postgres" else 15)  # SIGINT is Postgres's fast shutdown
    psutil.wait_procs(found.values(), timeout=STOP_TIMEOUT_S)
    rest = [*found.values(), *family]  # whoever did not listen, and workers that outlived their master
    for process in rest:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(rest, timeout=KILL_TIMEOUT_S)
    file.unlink(missing_ok=True)
    return list(found)


def _find(file: Path) -> dict[str, psutil.Process]:
    try:
        recorded = dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return {}
    found = {name: _find_same(entry) for name, entry in recorded.items()}
    return {name: process for name, process in found.items() if process is not None}


def _find_same(entry: object) -> psutil.Process | None:
    """Return the process that was recorded, unless it is gone or its pid is somebody else's by now."""
    match entry:
        case {"pid": int(pid), "startedAt": float(started_at)} if pid > 1:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                same = abs(process.create_time() - started_at) < SAME_START_S
                return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    return None
