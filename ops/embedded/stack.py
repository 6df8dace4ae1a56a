"""The whole embedded stack: wires directory, ports, processes and demo account together. Called by `crossfade up`."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops import migration
from ops.embedded import credentials, demo_account, services
from ops.embedded.credentials import Credentials
from ops.embedded.ready import FILE_NAME, Ready
from ops.embedded.services import Addresses
from ops.local_supabase.database import apply_shape
from ops.machine import leftovers, redis
from ops.machine.data_dir import PROCESSES, DataDir
from ops.machine.ports import Listener, held_ports, port_of
from ops.machine.postgres import EmbeddedPostgres
from ops.machine.supervisor import Stopped, Supervisor
from ops.terminal.progress import Progress
from realtime_bridge.shared import secrets


@dataclass(kw_only=True, eq=False, repr=False)
class Stack:
    """One run of `up`: `running()` starts everything, `watch()` keeps it alive, leaving the block stops it.

    `ports` has gateway, bridge, supabase and postgres; 0 takes any free one. `supabase` are options of its own.
    """

    data_dir: Path
    ports: Mapping[str, int]
    fresh: bool
    supabase: tuple[str, ...]
    progress: Progress
    should_stop: Callable[[], bool]
    echo: Callable[[str], None] | None
    _facts: Callable[[dict[str, int]], Ready] | None = None

    def __post_init__(self) -> None:
        self._data_dir = DataDir(self.data_dir)
        self._credentials = Credentials.for_development()
        self._supervisor = Supervisor(
            self._data_dir / "logs",
            say=self.progress.say,
            on_change=self._note,
            should_stop=self.should_stop,
            echo=self.echo,
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[Ready]:
        """Yield the facts of a stack that answers; what was started is stopped again in any case.

        Raises OpsError with one sentence when something is in the way, Stopped when asked to stop meanwhile.
        """
        self._data_dir.acquire()
        try:
            self._end_leftovers()
            wanted = {**self.ports, "metrics": 0, "bridge-metrics": 0}
            with (
                held_ports(wanted, services.hosts()) as listeners,
                redis.socket_path(self._data_dir / "redis") as socket,
            ):
                try:
                    yield self._start(listeners, socket)
                finally:
                    self._stop()
        finally:
            self._data_dir.release()

    def watch(self) -> None:
        """Restart what dies until asked to stop; raises OpsError when something cannot be kept alive."""
        self._supervisor.run()

    def _end_leftovers(self) -> None:
        file = self._data_dir / PROCESSES
        if file.exists():
            with self.progress.step("Processes of an earlier run ended"):
                leftovers.end(file)
        (self._data_dir / FILE_NAME).unlink(missing_ok=True)

    def _start(self, listeners: Mapping[str, Listener], socket: Path) -> Ready:
        ports = {name: port_of(listener) for name, listener in listeners.items()}
        server = EmbeddedPostgres(self._data_dir / "postgres", ports["postgres"], say=self.progress.say)
        addresses = Addresses(
            listeners={name: listener for name, listener in listeners.items() if name != "postgres"},
            database_url=server.url(),
            database_admin_url=server.admin_url(),
            redis_url=redis.url(socket),
        )
        environment = services.environment(addresses, self._credentials, files_dir=self._data_dir / "files")
        services.check(environment)
        if self.fresh:
            with self.progress.step("Old data removed"):
                self._data_dir.wipe()
        environment.setdefault(secrets.VARIABLE, credentials.ensure(self._data_dir / "secrets.key"))
        with self._step(f"Postgres on port {server.port}, Redis on a socket"):
            self._supervisor.start(
                services.postgres_spec(server, listeners["postgres"]),
                services.redis_spec(self._data_dir / "redis", socket),
            )
        with self._step("Database in Supabase's shape, schema up to date"):
            apply_shape(addresses.database_admin_url)
            migration.migrate(addresses.database_url)
        with self._step(f"Supabase on {ports['supabase']}, gateway on {ports['gateway']}"):
            self._supervisor.start(
                services.supabase_spec(addresses, environment, self.supabase),
                services.gateway_spec(addresses, environment),
            )
        with self._step("Demo account"):
            demo = demo_account.ensure(addresses, self._data_dir / "demo.json", environment["CROSSFADE_ENV"])
        with self._step(f"Bridge on {ports['bridge']}"):
            self._supervisor.start(services.bridge_spec(addresses, environment))
        self._facts = lambda pids: demo_account.describe(demo, addresses, self._credentials, environment, pids)
        ready = self._facts(self._supervisor.pids)
        ready.write(self._data_dir.path)
        return ready

    @contextlib.contextmanager
    def _step(self, title: str) -> Iterator[None]:
        if self.should_stop():
            raise Stopped
        with self.progress.step(title):
            yield

    def _stop(self) -> None:
        self._facts = None
        (self._data_dir / FILE_NAME).unlink(missing_ok=True)
        if self._supervisor.pids:
            with self.progress.step("Everything stopped"):
                self._supervisor.stop()
        (self._data_dir / PROCESSES).unlink(missing_ok=True)

    def _note(self) -> None:
        """A process has a new pid: the files that name it follow."""
        leftovers.record(self._data_dir / PROCESSES, self._supervisor.pids)
        if self._facts is not None:
            self._facts(self._supervisor.pids).write(self._data_dir.path)
