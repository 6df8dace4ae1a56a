"""Memory given back to the system after a burst. Every bridge does.

Python and the allocator keep what a burst needed: garbage in cycles that nobody looks for, see `collect_less`, and free
memory in pieces between what is in use. When the process is calm and larger than it was, both are cleared up: some
100 ms that a calm process has.
"""

import ctypes
import gc
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)

# Requests leave almost no cycles behind, but each leaves so many objects for a moment that Python's threshold of 700
# looks for them at every tenth request, and now and then through the whole heap: a sixth of a busy sender's time.
YOUNG_OBJECTS = 20_000  # about what five hundred requests under way hold; some megabytes
MIDDLE, OLD = 20, 20  # the whole heap is looked through every eight million objects, not in a receiver's latency
INTERVAL_S = 5.0
CALM = 0.2  # of a processor, over the interval: more, and somebody waits for what the clearing takes
GROWN_BYTES = 16_000_000  # less is not worth a look through the heap
M_ARENA_MAX, ARENAS = -8, 2  # <malloc.h>: each thread may have an arena of its own, whose free memory nobody else uses
_libc: Any = ctypes.CDLL(None) if sys.platform == "linux" else None


def resident_bytes() -> int:
    """Return what the process has in memory now; 0 where nobody knows."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


class MemoryKeeper:
    """Clears up when the process has grown and is calm. On anything but glibc only Python does."""

    def __init__(
        self,
        *,
        resident: Callable[[], int] = resident_bytes,
        processor: Callable[[], float] = time.process_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resident, self._processor, self._clock = resident, processor, clock
        self._least = resident()
        self._since = clock(), processor()

    def start(self) -> None:
        """Watch from a thread."""
        threading.Thread(target=self.run, name="memory", daemon=True).start()

    def run(self) -> None:
        while True:
            time.sleep(INTERVAL_S)
            self.run_once()

    def run_once(self) -> int:
        """Return how many bytes were given back; 0 while it is busy or has not grown."""
        is_calm, before = self._is_calm(), self._resident()
        if not is_calm or before - self._least < GROWN_BYTES:
            return 0
        gc.collect()
        if hasattr(_libc, "malloc_trim"):
            _libc.malloc_trim(0)  # also what lies between used pieces
        self._least = self._resident()  # what is in use now is no burst, and is not looked for again
        self._since = self._clock(), self._processor()
        log.info("memory given back", before_mb=before // 1_000_000, after_mb=self._least // 1_000_000)
        return before - self._least

    def _is_calm(self) -> bool:
        (began, used), self._since = self._since, (self._clock(), self._processor())
        return self._since[1] - used < CALM * (self._since[0] - began)


def share_arenas() -> None:
    """Let all threads share few arenas; called before there are others."""
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(M_ARENA_MAX, ARENAS)


def collect_less() -> None:
    """Keep what is loaded out of every collection, and collect young objects in larger portions."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, MIDDLE, OLD)
