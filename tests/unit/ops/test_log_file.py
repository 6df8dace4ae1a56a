"""Lines of the processes on their way to the log files."""

import io
import json
from pathlib import Path

import pytest

from ops.machine import log_file
from ops.machine.log_file import LogFile


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_plain_lines_become_structured(tmp_path: Path) -> None:
    """A line of Postgres gets a time and its process's name."""
    log = LogFile(tmp_path / "postgres.log", "postgres")
    log.pump(io.BytesIO(b"LOG:  ready\n\nbye"))
    first, second = lines(log.path)
    assert (first["process"], first["event"]) == ("postgres", "LOG:  ready")
    assert "timestamp" in first
    assert second["event"] == log.last_event == "bye"


def test_structured_lines_stay_as_they_are(tmp_path: Path) -> None:
    """A line that is JSON already is copied; what it says is its event."""
    line = b'{"event": "bridge is ready", "process": "bridge", "port": 8001}'
    log = LogFile(tmp_path / "bridge.log", "bridge")
    log.pump(io.BytesIO(line + b"\n"))
    assert log.path.read_bytes() == line + b"\n"
    assert log.last_event == "bridge is ready"


@pytest.mark.parametrize("line", [b"{half", b'{"event"', b"{1: 2}", b"\xff\xfe", b"{" * 70_000])
def test_any_bytes_become_valid_lines(tmp_path: Path, line: bytes) -> None:
    """Whatever a process writes, every line of the file is JSON."""
    log = LogFile(tmp_path / "x.log", "x")
    log.pump(io.BytesIO(line + b"\n"))
    assert all(entry["process"] == "x" for entry in lines(log.path))


def test_a_file_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit a new file is begun and one old one kept."""
    monkeypatch.setattr(log_file, "MAX_FILE_BYTES", 1000)
    log = LogFile(tmp_path / "x.log", "x")
    log.pump(io.BytesIO(b"a line\n" * 100))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.log", "x.log.1"]
    assert all(path.stat().st_size < 1200 for path in tmp_path.iterdir())


def test_lines_are_echoed(tmp_path: Path) -> None:
    """With an echo every line goes there, too."""
    echoed: list[str] = []
    log = LogFile(tmp_path / "x.log", "x", echoed.append)
    log.pump(io.BytesIO(b"hello\n"))
    assert [json.loads(line)["event"] for line in echoed] == ["hello"]


def test_a_log_is_closed_to_others(tmp_path: Path) -> None:
    """Also one that an older version left open to them."""
    path = tmp_path / "x.log"
    path.write_text("")
    path.chmod(0o644)
    LogFile(path, "x").close()
    assert path.stat().st_mode & 0o777 == 0o600
