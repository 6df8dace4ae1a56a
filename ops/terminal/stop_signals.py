"""Signals to stop: Ctrl-C, SIGTERM, a closed terminal. Turned into a flag that the start and the watch look at."""

import signal
from types import FrameType
from typing import Self

INTERRUPTED_EXIT_CODE = 130  # 128 + SIGINT, as shells count


class StopSignals:
    """While entered, the first signal asks to stop; further ones change nothing, because every stop is bounded."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.received: int | None = None

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def is_set(self) -> bool:
        return self.received is not None

    @property
    def exit_code(self) -> int:
        return INTERRUPTED_EXIT_CODE if self.received == signal.SIGINT else 0

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.received is None:
            self.received = number
