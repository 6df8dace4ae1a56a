"""Name of this process, by which another beside it knows it gone. Its leases need not run out then.

A pid alone is used again. So the name also says when the process was started, and where: since which start of which
machine, in which namespace of pids. Of any other place, or another system than Linux, nothing is known.
"""

import contextlib
import hashlib
import os
import re
import socket
import uuid
from pathlib import Path

_NAME = re.compile(r".*:(?P<pid>\d+):(?P<place>[0-9a-f]+)-(?P<started>\d+)", re.DOTALL)
_AFTER_COMMAND, _STATE, _STARTED = ")", 0, 19  # proc_pid_stat(5): the command may hold anything, the rest is words
_ENDED = ("Z", "X")


def own_name() -> str:
    """Return `host:pid:place-started`, which no other process ever has."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_place() or uuid.uuid4().hex}-{_started(pid) or 0}"


def has_ended(name: str) -> bool:
    """Whether the process of this name is known to run no more."""
    found = _NAME.fullmatch(name)
    if found is None or found["place"] != _place():
        return False
    pid = int(found["pid"])
    with contextlib.suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return True
    return _started(pid) not in (found["started"], "")


def _place() -> str:
    try:
        boot, pids = Path("/proc/sys/kernel/random/boot_id").read_text(), Path("/proc/self/ns/pid").stat()
    except OSError:
        return ""
    return hashlib.sha256(f"{boot}{pids.st_ino}".encode()).hexdigest()[:8]


def _started(pid: int) -> str:
    """Return the clock tick at which a process was started; "ended" when it is only waited for, "" when hidden."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(_AFTER_COMMAND)[2].split()
    except OSError:
        return ""
    return "ended" if words[_STATE] in _ENDED else words[_STARTED]
