"""Runs the official JavaScript clients under Node: scripts that speak JSON lines. Used by tests of every kind.

`with NodeScript("legacy/driver.mjs") as script:` starts one; `send` writes a line, `next_line` and `wait_for` read with
a bound, and leaving the block always ends the process.
"""

import contextlib
import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.clients.packages import NODE, install

HERE = Path(__file__).parent
WAIT_S = 20.0
END_S = 5.0

Line = dict[str, Any]


class Script:
    """A running program that speaks JSON lines. `lines` holds everything it has said and that was read, in order."""

    def __init__(self, *command: str) -> None:
        self.lines: list[Line] = []
        self._unread: queue.Queue[Line | None] = queue.Queue()
        self._errors: list[str] = []
        self._process = subprocess.Popen(
            command,
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_lines, self._read_errors)]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def errors(self) -> str:
        """What it wrote to stderr so far."""
        return "".join(self._errors)

    def send(self, **command: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def next_line(self, timeout_s: float = WAIT_S) -> Line:
        """Return the next line; AssertionError with what was said so far when none comes in time."""
        try:
            line = self._unread.get(timeout=timeout_s)
        except queue.Empty:
            line = None
        if line is None:
            raise AssertionError(
                f"nothing more from the script; last: {self.lines[-5:]}; stderr: {self.errors[-2000:]}"
            )
        self.lines.append(line)
        return line

    def wait_for(self, wanted: Callable[[Line], bool], timeout_s: float = WAIT_S) -> Line:
        """Read until a line is `wanted` and return it; what was read on the way stays in `lines`."""
        deadline = time.monotonic() + timeout_s
        while True:
            line = self.next_line(max(0.0, deadline - time.monotonic()))
            if wanted(line):
                return line

    def read_available(self) -> None:
        """Take what has been said without waiting."""
        with contextlib.suppress(queue.Empty):
            while (line := self._unread.get_nowait()) is not None:
                self.lines.append(line)

    def stop(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(END_S)
        for reader in self._readers:
            reader.join(END_S)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            self._unread.put(json.loads(text))
        self._unread.put(None)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(self._process.stderr)


class NodeScript(Script):
    """A script of this directory under Node."""

    def __init__(self, script: str, *arguments: str) -> None:
        install()
        super().__init__(str(NODE), str(HERE / script), *arguments)
