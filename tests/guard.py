"""Whatever ends a run of pytest, no process stays. A plugin, loaded by conftest.py; it does nothing but on Linux.

pytest goes on in a child. The process that was started stays behind as its guard and adopts every process that loses
its parent, so none can hide. It passes signals on, ends what is left when the run is over (which fails the run), and
ends the process in which a test hears no alarm (hanging.py), naming the test: without xdist that ends the run, with it
the worker alone, which is replaced. When the guard is killed, the child is told to stop.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from typing import Any, NoReturn

import psutil
import pytest

from ops.machine import parent_death

PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
GRACE_S = float(os.environ.get("CROSSFADE_TEST_GRACE_S", "30"))  # beyond a test's time-out: for its fixtures to end
SETTLE_S = 5.0  # processes that were told to stop may need a moment
LAST_S = 60.0  # for the interpreter to end once pytest is done: threads that nobody joined
POLL_S = 0.5
REPORTS = "CROSSFADE_TEST_REPORTS"  # where xdist's workers, which inherit no pipe, tell the guard what they do
COMMAND_CHARS = 160  # of a process that was left behind: enough to see whose it is
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_reports: int | None = None
_guard = 0


class Stopped(KeyboardInterrupt):
    """Somebody asked the run to end."""


def pytest_configure(config: pytest.Config) -> None:
    """Fork, once: the child returns and runs the tests. A worker of xdist has threads already, and its guard."""
    if sys.platform != "linux" or _reports is not None:
        return
    if hasattr(config, "workerinput"):
        _report_from_worker()
        return
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        sys.stdout.flush()
        sys.stderr.flush()
        _split()


def tell(word: str, rest: str) -> None:
    """Tell the guard what begins or ends; a guard that is gone is told nothing."""
    if _reports is not None:
        with contextlib.suppress(OSError):
            os.write(_reports, f"{word} {os.getpid()} {rest}\n".encode())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Bound how the run ends; a worker of xdist that has nothing left to do stays for as long as the others work."""
    tell(*(("end", "") if hasattr(config, "workerinput") else ("begin", f"{LAST_S:.0f} (the end of the run)")))
    if _reports is not None and os.getppid() != _guard:
        end_what_is_left(0.0)  # what has not lost its parent yet; nobody else will


def _split() -> None:
    global _reports, _guard  # noqa: PLW0603 - one for each process, as the child is
    heard, told = os.pipe()
    _guard = os.getpid()
    child = os.fork()
    if child:
        os.close(told)
        Guard(child, heard).run()
    os.close(heard)
    _reports = told
    os.environ[REPORTS] = f"/proc/{os.getpid()}/fd/{told}"
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what starts in the background inherits an ignored one
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    parent_death.signalled_with(signal.SIGTERM)()
    if os.getppid() != _guard:
        os._exit(1)


def _report_from_worker() -> None:
    global _reports, _guard  # noqa: PLW0603 - as above
    _reports = os.open(os.environ[REPORTS], os.O_WRONLY)
    _guard = os.getppid()


def _stop(_number: int, _frame: object) -> NoReturn:
    raise Stopped("asked to end")


class Guard:
    """Waits for the child, and never returns."""

    def __init__(self, child: int, reports: int) -> None:
        self._child = child
        self._reports = reports
        self._told = b""
        self._running: dict[int, tuple[float, str]] = {}  # by process: until when, and which test

    def run(self) -> NoReturn:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        os.set_blocking(self._reports, False)
        signals = {*PASSED_ON, signal.SIGCHLD}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        while (code := self._reap()) is None:
            caught = signal.sigtimedwait(signals, POLL_S)
            # The terminal tells the whole group by itself; a second Ctrl-C would cut short how the fixtures end.
            if caught and caught.si_signo in PASSED_ON and caught.si_code <= 0:
                os.kill(self._child, caught.si_signo)
            self._listen()
            for process, (deadline, test) in tuple(self._running.items()):
                if time.monotonic() > deadline:
                    self._give_up(process, test)
        left = end_what_is_left(0.0 if code else SETTLE_S)
        os._exit(code or (1 if left else 0))

    def _reap(self) -> int | None:
        """Reap whoever has ended; return the child's exit code once it is among them."""
        code = None
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._child:
                    code = os.waitstatus_to_exitcode(ended[1])
        return None if code is None else code if code >= 0 else 128 - code

    def _listen(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._told += os.read(self._reports, 1 << 16)
        *lines, self._told = self._told.split(b"\n")
        for line in lines:
            word, process, rest = line.decode().split(" ", 2)
            self._running.pop(int(process), None)
            if word == "begin":
                seconds, _, test = rest.partition(" ")
                self._running[int(process)] = (time.monotonic() + float(seconds) + GRACE_S, test)

    def _give_up(self, process: int, test: str) -> None:
        del self._running[process]
        if process not in {one.pid for one in _children()}:
            return  # a worker that has ended since
        print(f"\nTIMEOUT: {test} hangs and hears no alarm; its process is ended.", file=sys.stderr, flush=True)  # noqa: T201
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGABRT)  # faulthandler writes where every thread is, and it ends
            time.sleep(POLL_S)
            os.kill(process, signal.SIGKILL)


def end_what_is_left(patience_s: float) -> list[str]:
    """Wait a moment for what is on its way out; name and end what stays."""
    _, left = psutil.wait_procs(_children(), timeout=patience_s)
    names = []
    for process in left:
        with contextlib.suppress(psutil.Error):
            names.append(f"{process.pid} {' '.join(process.cmdline())[:COMMAND_CHARS]!r}")
            process.terminate()
    psutil.wait_procs(left, timeout=SETTLE_S)
    for process in _children():
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(_children(), timeout=SETTLE_S)
    if names:
        print(f"left behind and ended: {', '.join(names)}", file=sys.stderr, flush=True)  # noqa: T201
    return names


def _children() -> list[Any]:
    return psutil.Process().children(recursive=True)
