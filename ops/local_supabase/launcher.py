"""Launcher of a whole local Supabase for one's own project. Postgres in its shape and the endpoint, as two processes.

Used by `crossfade supabase start` and by the pytest plugin; needs the `embedded` extra, and nothing else running.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ops.errors import OpsError
from ops.local_supabase.access.keys import ApiKeys
from ops.local_supabase.database import apply_shape
from ops.local_supabase.options import process_options
from ops.local_supabase.settings import Plan, Settings
from ops.machine import leftovers
from ops.machine.data_dir import PROCESSES, DataDir
from ops.machine.ports import held_ports, port_of
from ops.machine.postgres import EmbeddedPostgres
from ops.machine.private_files import append_private

START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 15.0
MADE_BY = "crossfade supabase start"
_LOG_TAIL_CHARACTERS = 600


Step = Callable[[str], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a project needs to know, named as the Supabase CLI's `status --output env` names it."""

    api_url: str
    db_url: str
    publishable_key: str
    secret_key: str
    anon_key: str
    service_role_key: str
    jwt_secret: str

    def as_environment(self) -> dict[str, str]:
        """Upper-case names, as in a .env file."""
        return {name.upper(): getattr(self, name) for name in self.__dataclass_fields__}


class LocalSupabase:
    """Starts both processes and stops them again; the data stays in `data_dir`."""

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        database_port: int = 0,
        plan: str = Plan.UNLIMITED,
        slot_delay_s: float = 0.0,
        private_only: bool = False,
        durable: bool = True,
        quick_refusals: bool = False,
        step: Step = contextlib.nullcontext,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Port 0 takes any free one; `plan` and `slot_delay_s` are the options, `private_only` refuses public channels.

        `step` shows a title while something is done, `say` a sentence.
        """
        self._data_dir = DataDir(data_dir, made_by=MADE_BY)
        self._port = port
        self._database_port = database_port
        self._step = step
        self._options = process_options(plan=plan, slot_delay_s=slot_delay_s, private_only=private_only)
        self._quick_refusals = quick_refusals
        self._postgres = EmbeddedPostgres(self._data_dir / "postgres", durable=durable, say=say)
        self._endpoint: subprocess.Popen[bytes] | None = None
        self._facts: Facts | None = None

    @property
    def facts(self) -> Facts:
        """URLs and keys; raises OpsError before the start."""
        if self._facts is None:
            raise OpsError("The local Supabase has not been started.")
        return self._facts

    @property
    def admin_url(self) -> str:
        """The database as its superuser, for what `postgres` may not do."""
        return self._postgres.admin_url()

    def start(self) -> Facts:
        """Promises an endpoint that answers. Raises OpsError with a sentence for the operator."""
        self._data_dir.acquire()
        try:
            url = self._start_processes()
        except BaseException:
            self.stop()
            raise
        settings = Settings.from_environment(os.environ, database_url="", host="", port=0)
        keys = ApiKeys(settings)
        self._facts = Facts(
            api_url=url,
            db_url=self._postgres.url(),
            publishable_key=settings.publishable_key,
            secret_key=settings.secret_key,
            anon_key=keys.mint("anon"),
            service_role_key=keys.mint("service_role"),
            jwt_secret=settings.jwt_secret,
        )
        return self._facts

    def _start_processes(self) -> str:
        """Return the endpoint's URL."""
        if leftovers.end(self._data_dir / PROCESSES):
            with self._step("Processes of an earlier run ended"):
                pass
        with held_ports({"": self._port, "db": self._database_port}) as held:
            self._port, self._postgres.port = port_of(held[""]), port_of(held["db"])
            with self._step(f"Postgres on port {self._postgres.port}"):
                self._postgres.start(before=held["db"].close)
            with self._step("Database in Supabase's shape"):
                apply_shape(self._postgres.admin_url())
            with self._step(f"Realtime and Auth on port {self._port}"):
                return self._start_endpoint(held[""].fileno())

    def poll(self) -> str | None:
        """A sentence when one of the processes has ended by itself."""
        if self._postgres.poll() is not None:
            return "Postgres has stopped."
        if self._endpoint is not None and self._endpoint.poll() is not None:
            return f"The Supabase endpoint has stopped: {self._log_tail()}"
        return None

    def restart_endpoint(self) -> None:
        """Stop the endpoint and start it again on the same port: what clients see when Supabase is deployed."""
        self._port = int(self.facts.api_url.rpartition(":")[2])
        self._stop_endpoint()
        self._start_endpoint()

    def stop(self) -> None:
        """End the endpoint first, so that its sockets are closed properly."""
        self._stop_endpoint()
        self._postgres.stop()
        (self._data_dir / PROCESSES).unlink(missing_ok=True)
        self._data_dir.release()

    def _stop_endpoint(self) -> None:
        if self._endpoint is not None and self._endpoint.poll() is None:
            self._endpoint.terminate()
            try:
                self._endpoint.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._endpoint.kill()
                self._endpoint.wait(STOP_TIMEOUT_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _log_file(self) -> Path:
        return self._data_dir / "endpoint.log"

    def _start_endpoint(self, *fds: int) -> str:
        """`fds`: of a socket that listens on its port already."""
        ready_file = self._data_dir / "endpoint.json"
        ready_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "ops.local_supabase", "--port", str(self._port), *self._options]
        command += ["--database-url", self._postgres.admin_url(), "--ready-file", str(ready_file)]
        command += ["--quick-refusals"] if self._quick_refusals else []
        command += [f"--fd={fd}" for fd in fds]
        with append_private(self._log_file) as log:
            self._endpoint = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=fds
            )
        pids = {"supabase": self._endpoint.pid, "postgres": self._postgres.pid}
        leftovers.record(self._data_dir / PROCESSES, pids)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._endpoint.poll() is None:
            with contextlib.suppress(FileNotFoundError):
                return str(json.loads(ready_file.read_text(encoding="utf-8"))["url"])
            time.sleep(0.05)
        raise OpsError(f"The Supabase endpoint did not start: {self._log_tail()}")

    def _log_tail(self) -> str:
        return self._log_file.read_text(encoding="utf-8", errors="replace").strip()[-_LOG_TAIL_CHARACTERS:]
