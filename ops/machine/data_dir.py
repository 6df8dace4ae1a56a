"""Directory in which a command keeps everything. Layout, ownership, the lock of the running one, wiping.

DIR/crossfade.json   says which command made the directory; without it nothing is ever removed
DIR/postgres/        the database cluster        DIR/redis/   the append-only file
DIR/logs/NAME.log    one file per process        DIR/demo.json the demo's API key
DIR/secrets.key      seals stored secrets
DIR/processes.json   what is running             DIR/ready.json   the banner's facts, only while it runs

Used by `up` (ops.embedded.stack) and by `supabase start` (ops.local_supabase.launcher), which keeps less of it.
"""

import contextlib
import fcntl
import json
import os
import shutil
from pathlib import Path

from ops.errors import OpsError
from ops.machine.private_files import make_private, write_private

MARKER = "crossfade.json"
PROCESSES = "processes.json"
LAYOUT = 1  # raised when an old directory can no longer be used as it is
LOCK = "running.lock"
NEIGHBOURS = (LOCK, "supabase", "webhooks-listen-secret")  # what other commands keep in our default one
OURS = ("postgres", "redis", "files", "logs", "secrets.key", "demo.json", PROCESSES, "ready.json")


class DataDir:
    """Held by one run at a time: `acquire` takes it, the process's end gives it back in any case."""

    def __init__(self, path: Path, *, made_by: str = "crossfade up") -> None:
        self.path = path.resolve()
        self._made_by = made_by
        self._lock: int | None = None

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def acquire(self) -> None:
        """Create the directory if need be and lock it. Raises OpsError when it is foreign or in use."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._check_ours()
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise OpsError(f"Cannot use {self.path} as data directory: {error.strerror}.") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 20, 0).decode().strip() or "unknown"
            self.release()
            raise OpsError(
                f"`{self._made_by}` already runs on {self.path} (pid {holder}):"
                " stop it first, or choose another --data-dir."
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        # Keys lie in here. Postgres's own user must pass through when we are root, hence no stricter than 0711.
        self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        make_private(self.path / "logs")

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def wipe(self) -> None:
        """Remove what `up` made, and nothing else that may lie beside it. Only while held."""
        for name in OURS:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        make_private(self.path / "logs")

    def _check_ours(self) -> None:
        marker = self.path / MARKER
        if not marker.exists():
            if any(entry.name not in NEIGHBOURS for entry in self.path.iterdir()):
                raise OpsError(f"{self.path} is not empty and was not made by Crossfade: choose another --data-dir.")
            write_private(marker, json.dumps({"madeBy": self._made_by, "layout": LAYOUT}) + "\n")
        made_by = layout = None
        with contextlib.suppress(ValueError, AttributeError):
            facts = json.loads(marker.read_text())
            made_by, layout = facts.get("madeBy"), facts.get("layout")
        if layout != LAYOUT:
            raise OpsError(f"{marker} is not one that this version understands: choose another --data-dir.")
        if made_by != self._made_by:
            raise OpsError(f"{self.path} belongs to `{made_by}`: choose another --data-dir.")
