"""The data directory: whose it is, who holds it, what a wipe removes."""

import json
import os
from pathlib import Path

import pytest

from ops.errors import OpsError
from ops.machine.data_dir import DataDir


def test_a_second_holder_is_told_the_first_ones_pid(tmp_path: Path) -> None:
    """Two `up` never share a directory."""
    first, second = DataDir(tmp_path / "d"), DataDir(tmp_path / "d")
    first.acquire()
    with pytest.raises(OpsError, match=rf"already runs on .* \(pid {os.getpid()}\)"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_a_foreign_directory_is_refused(tmp_path: Path) -> None:
    """A directory with somebody's files in it is left alone."""
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(OpsError, match="not made by Crossfade"):
        DataDir(tmp_path).acquire()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_local_supabase_may_live_inside(tmp_path: Path) -> None:
    """`crossfade supabase start` before the first `up` does not make the default directory foreign."""
    (tmp_path / "supabase").mkdir()
    data_dir = DataDir(tmp_path)
    data_dir.acquire()
    data_dir.wipe()
    data_dir.release()
    assert (tmp_path / "supabase").exists()


@pytest.mark.parametrize("marker", ["", "[]", "null", '{"layout": 99}', "{"])
def test_an_unknown_layout_is_refused(tmp_path: Path, marker: str) -> None:
    """A directory of another version is not touched."""
    (tmp_path / "crossfade.json").write_text(marker)
    with pytest.raises(OpsError, match="not one that this version understands"):
        DataDir(tmp_path).acquire()


def test_the_directory_of_another_command_is_refused(tmp_path: Path) -> None:
    """`supabase start` and `up` never work on each other's data; the sentence says whose it is."""
    data_dir = DataDir(tmp_path / "d")
    data_dir.acquire()
    data_dir.release()
    with pytest.raises(OpsError, match="belongs to `crossfade up`: choose another --data-dir"):
        DataDir(tmp_path / "d", made_by="crossfade supabase start").acquire()


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    """A path that is no directory is one sentence."""
    (tmp_path / "d").touch()
    with pytest.raises(OpsError, match="Cannot use"):
        DataDir(tmp_path / "d").acquire()


def test_wipe_removes_only_what_is_ours(tmp_path: Path) -> None:
    """`--fresh` leaves a stranger's file, and never follows a link out of the directory."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    data_dir = DataDir(tmp_path / "d")
    data_dir.acquire()
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "PG_VERSION").touch()
    (data_dir / "redis").symlink_to(elsewhere)
    (data_dir / "note.txt").touch()
    data_dir.wipe()
    left = sorted(path.name for path in data_dir.path.iterdir())
    data_dir.release()
    assert left == ["crossfade.json", "logs", "note.txt", "running.lock"]
    assert (elsewhere / "precious").exists()


def test_nobody_else_can_look_into_it(tmp_path: Path) -> None:
    """Keys lie in the directory: others may at most pass through it."""
    data_dir = DataDir(tmp_path / "d")
    data_dir.acquire()
    data_dir.release()
    assert data_dir.path.stat().st_mode & 0o066 == 0
    assert json.loads((data_dir / "crossfade.json").read_text())["layout"] == 1
