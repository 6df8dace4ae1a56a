"""Memory that a worker no longer uses, given back to the machine. Tuned before the worker's threads, run beside them.

glibc keeps what it was given once: an arena for each few threads, each as large as its busiest moment. Elsewhere (musl,
macOS) there is nothing to tune, and nothing happens here.
"""

import ctypes
import os
import threading
from pathlib import Path

M_ARENA_MAX = -8  # malloc.h
ARENAS = 2  # Python's lock lets one thread allocate at a time; eight a core, the default, hold 16 busiest moments
PERIOD_S = 2.0
GROWTH_BYTES = 16_777_216  # below this a trim, some milliseconds, is not worth it
STATM = Path("/proc/self/statm")


class Trimmer:
    """Trims when the worker has grown since it was last trimmed, so an idle worker costs nothing."""

    def __init__(self) -> None:
        self._libc = _glibc()
        self._trimmed_bytes = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name="memory", daemon=True)

    def start(self) -> None:
        if self._libc is not None and STATM.exists():
            self._libc.mallopt(M_ARENA_MAX, ARENAS)
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            self.run_once()

    def run_once(self) -> int:
        """Return how many bytes the machine got back."""
        used = used_bytes()
        if self._libc is None or used < self._trimmed_bytes + GROWTH_BYTES:
            return 0
        self._libc.malloc_trim(0)
        self._trimmed_bytes = used_bytes()
        return used - self._trimmed_bytes


def used_bytes() -> int:
    """Resident memory of this process, proc(5)."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def _glibc() -> ctypes.CDLL | None:
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
