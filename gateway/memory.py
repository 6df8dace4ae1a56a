"""Memory that a worker no longer uses, given back to the machine. Tuned before the worker's threads, run beside them.

glibc keeps what it was given once: an arena for each few threads, each as large as its busiest moment. Elsewhere (musl,
macOS) there is nothing to tune, and nothing happens here.
"""

import threading

from realtime_bridge.memory import resident_bytes, share_arenas, trim

PERIOD_S = 2.0
GROWTH_BYTES = 16_777_216  # below this a trim, some milliseconds, is not worth it


class Trimmer:
    """Trims when the worker has grown since it was last trimmed, so an idle worker costs nothing."""

    def __init__(self) -> None:
        self._trimmed_bytes = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name="memory", daemon=True)

    def start(self) -> None:
        share_arenas()
        if resident_bytes():
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            self.run_once()

    def run_once(self) -> int:
        """Return how many bytes the machine got back."""
        used = resident_bytes()
        if used < self._trimmed_bytes + GROWTH_BYTES:
            return 0
        trim()
        self._trimmed_bytes = resident_bytes()
        return used - self._trimmed_bytes
