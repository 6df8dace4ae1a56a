"""Checks, all of them, and what became of each. Called by `ops/test` inside the development environment.

    python ops/checks.py [ARGUMENTS FOR PYTEST]

Exit code 0 when all is green and no process is left behind. Every step runs, also after a failed one.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv" / "bin"
PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
LINT_TIMEOUT_S = 300
NPM_TIMEOUT_S = 300
APT_TIMEOUT_S = 600
BROWSERS = ("chromium", "chromium-browser", "google-chrome")  # as the tests look for it
PYTEST_TIMEOUT_S = 25 * 60  # a slow hour of a shared machine is no failure
# Three processes on two cores, which the smallest machine has: most tests wait for something. A file stays in one of
# them, with the servers that its tests share; in the order of their names, so that the longest do not come last.
SIDE_BY_SIDE = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
INTERRUPT_TIMEOUT_S = 60  # for fixtures to stop their servers after a time-out
POLL_S = 0.2
COMMAND_CHARS = 160  # of a process that was left behind: enough to see whose it is
SETTLE_S = 5.0  # processes that were told to stop may need a moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    name: str
    failure: str  # empty when it went well
    seconds: float


class Terminated(BaseException):
    """Somebody asked this process alone to end; Ctrl-C in a terminal reaches its children, too."""


def main(arguments: Sequence[str]) -> int:
    """Run all checks; when stopped, promise the same as at the end: nothing is left behind."""
    _adopt_orphans()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _run_all(arguments)
    except (KeyboardInterrupt, Terminated):
        print(f"\nstopped; {_check_nothing_left().failure or 'nothing is left running'}", flush=True)
        return 130


def _terminate(_number: int, _frame: object) -> None:
    raise Terminated


def _run_all(arguments: Sequence[str]) -> int:
    started = time.monotonic()
    steps = ["ruff check", "ruff format", "mypy", *([] if arguments else ["npm ci", "apt-get chromium"]), "pytest"]
    print(f"ops/test runs: {', '.join(steps)} {' '.join(arguments)}".rstrip(), flush=True)
    outcomes = [
        _run("ruff check", [BIN / "ruff", "check", "."], LINT_TIMEOUT_S),
        _run("ruff format", [BIN / "ruff", "format", "--check", "."], LINT_TIMEOUT_S),
        _run("mypy --strict", [BIN / "mypy"], LINT_TIMEOUT_S),
        *_install(arguments),
        _run("pytest", [BIN / "python", "-m", "pytest", *(arguments or SIDE_BY_SIDE)], PYTEST_TIMEOUT_S),
        _check_nothing_left(),
    ]
    print()
    for outcome in outcomes:
        verdict = "FAILED" if outcome.failure else "ok    "
        print(f"{verdict} {outcome.name:<22} {outcome.seconds:6.1f} s  {outcome.failure}".rstrip())
    failed = sum(bool(outcome.failure) for outcome in outcomes)
    print(f"{'all green' if not failed else f'{failed} failed'} in {time.monotonic() - started:.0f} s", flush=True)
    return 1 if failed else 0


def _run(name: str, command: Sequence[str | Path], timeout_s: float, cwd: Path = ROOT) -> Outcome:
    print(f"\n--- {name}", flush=True)
    started = time.monotonic()
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}  # npm calls `node`
    with subprocess.Popen([str(word) for word in command], cwd=cwd, env=environment, stdin=subprocess.DEVNULL) as child:
        try:
            while child.poll() is None and time.monotonic() < started + timeout_s:
                _reap_orphans(child.pid)
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            _wait(child)
            raise
        except Terminated:
            _interrupt(child)
            raise
        if child.poll() is None:
            _interrupt(child)
            failure = f"not done after {timeout_s:.0f} s"
        else:
            failure = f"exit code {child.returncode}" if child.returncode else ""
    return Outcome(name=name, failure=failure, seconds=time.monotonic() - started)


def _reap_orphans(own: int) -> None:
    """Do what init does for adopted processes: without it a dead one looks alive to whoever asks for its pid."""
    for orphan in psutil.Process().children():
        if orphan.pid != own:
            with contextlib.suppress(psutil.Error, ChildProcessError):
                if orphan.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(orphan.pid, os.WNOHANG)


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    _wait(process)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(INTERRUPT_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _install(arguments: Sequence[str]) -> list[Outcome]:
    """Install what all tests together need.

    Of a selection, a test installs its clients itself, and fails by name when its browser is missing: for three unit
    tests nobody has to wait for Chromium.
    """
    if arguments:
        return []
    npm = _run("npm ci", [BIN / "python", "-m", "tests.clients.packages"], NPM_TIMEOUT_S)
    return [npm, _install_browser()]


def _install_browser() -> Outcome:
    """Have Chromium, in which the official JavaScript clients are driven: from Debian's packages where we may."""
    if any(shutil.which(name) for name in BROWSERS):
        return Outcome(name="chromium (installed)", failure="", seconds=0.0)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return Outcome(name="chromium", failure="missing: apt-get install chromium", seconds=0.0)
    script = "apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium"
    return _run(
        "apt-get install chromium", ["env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", script], APT_TIMEOUT_S
    )


def _adopt_orphans() -> None:
    """Make every process that loses its parent ours (Linux), so that none can hide."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _check_nothing_left() -> Outcome:
    """Wait a moment for what is on its way out; name and end what stays."""
    started = time.monotonic()
    left = psutil.Process().children(recursive=True)
    _, left = psutil.wait_procs(left, timeout=SETTLE_S if left else 0)
    names = []
    for process in left:
        try:
            names.append(f"{process.pid} {' '.join(process.cmdline())[:COMMAND_CHARS]!r}")
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=SETTLE_S if left else 0)
    failure = f"still running: {', '.join(names)}" if names else ""
    return Outcome(name="no process left behind", failure=failure, seconds=time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
