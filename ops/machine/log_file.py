"""Log file of one process: DIR/logs/NAME.log. One JSON line each, with its name, bounded on disk."""

import contextlib
import errno
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import IO

from ops.machine.private_files import append_private

MAX_FILE_BYTES = 20 * 1024 * 1024  # a week of a busy demo; the file before it is kept as NAME.log.1
MAX_LINE_BYTES = 64 * 1024  # a runaway line is cut here, so that memory stays flat


@dataclass(eq=False, repr=False)
class LogFile:
    """Takes raw lines of one process; not shared between threads.

    What cannot be written, for example to a full disk, is lost: the process must be read on, or it would stand still
    at its next line. `say` gets a sentence when that begins and when it ends; the file says how many are missing.
    """

    path: Path
    process: str
    echo: Callable[[str], None] | None = None
    say: Callable[[str], None] = field(default=lambda _: None, kw_only=True)
    last_event: str = ""
    _file: FileIO | None = None
    _lost: int = 0
    _reason: str = ""

    def __post_init__(self) -> None:
        with contextlib.suppress(OSError):  # said when a line is lost
            self._open()

    def pump(self, stream: IO[bytes]) -> None:
        """Copy lines until the process and all its children have closed the stream."""
        with stream:
            for raw in iter(lambda: stream.readline(MAX_LINE_BYTES), b""):
                self.write(raw.decode(errors="replace").rstrip())
        self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, text: str) -> None:
        if not text:
            return
        line, self.last_event = self._structured(text)
        if self.echo is not None:
            self.echo(line)
        try:
            if self._lost:
                self._append(self._structured(f"{self._lost} lines were lost: {self._reason}")[0])
                self.say(f"{self.path} can be written again; {self._lost} lines were lost.")
                self._lost = 0
            self._append(line)
        except OSError as error:
            self._lose(error)

    def _append(self, line: str) -> None:
        """Not buffered: a line that explains a death must be there when somebody looks."""
        file = self._file or self._open()
        data = line.encode() + b"\n"
        written = file.write(data)
        if written != len(data):
            file.truncate(file.tell() - written)  # half a line fitted
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if file.tell() > MAX_FILE_BYTES:
            self._rotate()

    def _open(self) -> FileIO:
        self._file = append_private(self.path)
        return self._file

    def _lose(self, error: OSError) -> None:
        self.close()  # opened anew for the next line: somebody may have made room by removing the file
        self._lost += 1
        if self._lost == 1:
            self._reason = error.strerror or type(error).__name__
            self.say(f"{self.path} cannot be written ({self._reason}); lines are lost until it can.")

    def _structured(self, text: str) -> tuple[str, str]:
        """Return the line and what it says; a line that is JSON already stays as it is."""
        if text.startswith("{"):
            try:
                event = json.loads(text).get("event", text)
            except (ValueError, AttributeError):
                pass
            else:
                return text, str(event)
        record = {"timestamp": datetime.now(UTC).isoformat(), "process": self.process, "event": text}
        return json.dumps(record, ensure_ascii=False), text

    def _rotate(self) -> None:
        self.close()
        with contextlib.suppress(OSError):  # tried again after the next line
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
