"""Files in which a run's workers share figures, and killed runs' remains. Called by gunicorn's configuration."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

PREFIX = "crossfade-gateway-figures-"  # only directories of this name promise that who uses them locks them
YOUNG_S = 60.0  # a directory so new may be another start's that is about to lock it


def make_directory(parent: Path) -> str:
    """Make this run's own. It is locked until the last of its processes has ended, however it ends."""
    directory = tempfile.mkdtemp(prefix=PREFIX, dir=parent)
    fcntl.flock(os.open(directory, os.O_RDONLY), fcntl.LOCK_EX)  # never closed; workers inherit it
    return directory


def remove_left_behind(parent: Path) -> None:
    """Remove what nobody has locked. Not by process id: those are given out again, and differ between containers."""
    for directory in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - directory.stat().st_mtime > YOUNG_S:
                _remove_unlocked(directory)


def _remove_unlocked(directory: Path) -> None:
    """Raise BlockingIOError when somebody has it."""
    opened = os.open(directory, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.close(opened)
