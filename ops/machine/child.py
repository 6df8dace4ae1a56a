"""Child process in a session and a log of its own. Used by the supervisor only."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.machine.log_file import LogFile
from ops.machine.private_files import UMASK

KILL_TIMEOUT_S = 5.0  # a killed process is gone at once unless the kernel is stuck


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """How to start one process and how to see that it answers."""

    name: str
    command: tuple[str, ...]
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None
    """Runs before every start."""
    popen: Mapping[str, Any] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    start_timeout_s: float = 60.0  # the slowest, a Postgres that recovers on a busy two-core machine, takes a few
    stop_timeout_s: float = 15.0  # the gateway's requests and the bridge's batches end within ten


class Process:
    """One run of a spec; a restart is a new one."""

    def __init__(
        self,
        spec: ProcessSpec,
        log_file: Path,
        echo: Callable[[str], None] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        spec.prepare()
        self.spec = spec
        self.log = LogFile(log_file, spec.name, echo, say=say)
        # A session of its own: a Ctrl-C in the terminal is ours to pass on, in order.
        self._popen = subprocess.Popen(
            spec.command,
            env=dict(spec.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=UMASK,
            **spec.popen,
        )
        if self._popen.stdout is None:
            raise AssertionError("stdout is a pipe")
        self._pump = threading.Thread(target=self.log.pump, args=(self._popen.stdout,), daemon=True)
        self._pump.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def is_alive(self) -> bool:
        return self._popen.poll() is None

    def death(self) -> str:
        """Say how it ended: "exited with code 1" or "killed by signal 9"."""
        code = self._popen.poll()
        if code is None:
            return "alive"
        return f"killed by signal {-code}" if code < 0 else f"exited with code {code}"

    def last_words(self) -> str:
        """Return the last line it wrote, once its output is read to the end."""
        self._pump.join(1.0)  # grandchildren may hold the pipe open a little longer
        return self.log.last_event

    def stop(self) -> None:
        """Promises that it and every process of its group is gone, politely first."""
        with contextlib.suppress(subprocess.TimeoutExpired, ProcessLookupError):
            self._popen.send_signal(self.spec.stop_signal)
            self._popen.wait(self.spec.stop_timeout_s)
        self.kill_group()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(KILL_TIMEOUT_S)
        self._pump.join(1.0)

    def kill_group(self) -> None:
        """End what is left of its session, for example the workers of a gateway whose master was killed."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
