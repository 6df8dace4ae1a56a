"""Supervisor of `up`'s processes. Starts them in order, restarts the ones that die, stops all in reverse order.

Every event is told in one sentence through `say`; nothing is printed here.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ops.errors import OpsError
from ops.machine.child import Process, ProcessSpec

POLL_S = 0.1  # how soon a death is noticed
FIRST_BACKOFF_S = 0.2  # a crashed Postgres needs about this long until its backends are gone
MAX_BACKOFF_S = 5.0
MAX_DEATHS = 5  # of one process within DEATH_WINDOW_S: it will not come up by trying again
DEATH_WINDOW_S = 60.0


class Stopped(Exception):
    """Somebody asked to stop while the start was still going on."""


@dataclass(slots=True)
class _Member:
    spec: ProcessSpec
    process: Process
    deaths: deque[float] = field(default_factory=deque)
    restart_at: float | None = None
    death: str = ""


@dataclass(eq=False, repr=False)
class Supervisor:
    """Not thread-safe: everything is called from the main thread; `should_stop` may be set by a signal handler."""

    logs: Path
    say: Callable[[str], None] = field(kw_only=True)
    on_change: Callable[[], None] = field(default=lambda: None, kw_only=True)
    should_stop: Callable[[], bool] = field(default=lambda: False, kw_only=True)
    echo: Callable[[str], None] | None = field(default=None, kw_only=True)
    clock: Callable[[], float] = field(default=time.monotonic, kw_only=True)
    _members: dict[str, _Member] = field(default_factory=dict, init=False)

    @property
    def pids(self) -> dict[str, int]:
        return {name: member.process.pid for name, member in self._members.items()}

    def start(self, *specs: ProcessSpec) -> None:
        """Start `specs` side by side and wait until each answers.

        Raises OpsError when one dies or stays silent, Stopped when asked to stop meanwhile.
        """
        for spec in specs:
            self._members[spec.name] = _Member(spec, self._spawn(spec))
            self._tell_change()
        for spec in specs:
            self._wait_until_ready(self._members[spec.name])

    def run(self) -> None:
        """Watch until asked to stop. Raises OpsError when a process cannot be kept alive."""
        while not self.should_stop():
            self.run_once()
            time.sleep(POLL_S)

    def run_once(self) -> int:
        """Notice deaths and restart what is due; return the number of restarts."""
        restarts = 0
        for member in self._members.values():
            if member.restart_at is None:
                if not member.process.is_alive():
                    self._bury(member)
            elif self.clock() >= member.restart_at:
                self._restart(member)
                restarts += 1
        return restarts

    def stop(self) -> None:
        """Promises that nothing is left running. Last started, first stopped; each is given a bounded time."""
        while self._members:
            name = next(reversed(self._members))
            self._members[name].process.stop()
            del self._members[name]

    def _spawn(self, spec: ProcessSpec) -> Process:
        return Process(spec, self.logs / f"{spec.name}.log", self.echo, self.say)

    def _tell_change(self) -> None:
        """Whoever writes the pids down may find the disk full; the processes matter more."""
        try:
            self.on_change()
        except OSError as error:
            self.say(f"The files that name the processes were not written: {error}")

    def _wait_until_ready(self, member: _Member) -> None:
        spec, process = member.spec, member.process
        deadline = self.clock() + spec.start_timeout_s
        while not spec.is_ready():
            if self.should_stop():
                raise Stopped
            if not process.is_alive():
                raise OpsError(f"{spec.name} did not start ({process.death()}){self._trace(process)}")
            if self.clock() > deadline:
                raise OpsError(f"{spec.name} did not answer within {spec.start_timeout_s:.0f} s{self._trace(process)}")
            time.sleep(POLL_S / 2)

    def _bury(self, member: _Member) -> None:
        now, process = self.clock(), member.process
        member.death = process.death()
        process.kill_group()
        member.deaths.append(now)
        while member.deaths[0] <= now - DEATH_WINDOW_S:
            member.deaths.popleft()
        if len(member.deaths) >= MAX_DEATHS:
            raise OpsError(
                f"{member.spec.name} died {len(member.deaths)} times within {DEATH_WINDOW_S:.0f} s"
                f" (last: {member.death}){self._trace(process)}"
            )
        member.restart_at = now + min(FIRST_BACKOFF_S * 2.0 ** (len(member.deaths) - 1), MAX_BACKOFF_S)

    def _restart(self, member: _Member) -> None:
        member.restart_at = None
        member.process = self._spawn(member.spec)
        self._tell_change()
        self.say(f"{member.spec.name} died ({member.death}); restarted, now pid {member.process.pid}")

    def _trace(self, process: Process) -> str:
        words = process.last_words()
        last = f"; its last words: {words[:300]}" if words else ""
        return f"{last} (log: {process.log.path})"
