"""Signals to stop: Ctrl-C, SIGTERM, a closed terminal. Turned into a flag that the start and the watch look at.

Before there is a command to stop, Ctrl-C ends the process at once: in the middle of an import it would be a traceback.
"""

import os
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


def end_at_once() -> None:
    """Have Ctrl-C end the process with its exit code, until `take_over`; not where a shell has switched it off."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def take_over() -> None:
    """Have Ctrl-C be a KeyboardInterrupt again: everything is imported, and the command knows what to do with it."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: FrameType | None) -> None:
    if os.isatty(2):
        os.write(2, b"\n")  # the terminal has written ^C
    os._exit(INTERRUPTED_EXIT_CODE)
