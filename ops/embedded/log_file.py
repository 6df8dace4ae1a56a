"""One process's output on its way to DIR/logs/NAME.log: one JSON line each, with its name, bounded on disk."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

MAX_FILE_BYTES = 20 * 1024 * 1024  # a week of a busy demo; the file before it is kept as NAME.log.1
MAX_LINE_BYTES = 64 * 1024  # a runaway line is cut here, so that memory stays flat


class LogFile:
    """Takes raw lines of one process; not shared between threads."""

    def __init__(self, path: Path, process: str, echo: Callable[[str], None] | None = None) -> None:
        self.path = path
        self.last_event = ""
        self._process = process
        self._echo = echo
        self._file = path.open("ab")

    def pump(self, stream: IO[bytes]) -> None:
        """Copy lines until the process and all its children have closed the stream."""
        with stream:
            for raw in iter(lambda: stream.readline(MAX_LINE_BYTES), b""):
                self.write(raw.decode(errors="replace").rstrip())
        self.close()

    def close(self) -> None:
        self._file.close()

    def write(self, text: str) -> None:
        if not text:
            return
        line, self.last_event = self._structured(text)
        self._file.write(line.encode() + b"\n")
        self._file.flush()  # a line that explains a death must be there when somebody looks
        if self._echo is not None:
            self._echo(line)
        if self._file.tell() > MAX_FILE_BYTES:
            self._rotate()

    def _structured(self, text: str) -> tuple[str, str]:
        """Return the line and what it says; a line that is JSON already stays as it is."""
        if text.startswith("{"):
            try:
                event = json.loads(text).get("event", text)
            except (ValueError, AttributeError):
                pass
            else:
                return text, str(event)
        record = {"timestamp": datetime.now(UTC).isoformat(), "process": self._process, "event": text}
        return json.dumps(record, ensure_ascii=False), text

    def _rotate(self) -> None:
        self._file.close()
        self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        self._file = self.path.open("ab")
