"""The worker's thread that keeps `KeyCache` true. Started after the fork, stopped when the worker leaves."""

import contextlib
import threading
from time import monotonic

import psycopg
import structlog

from gateway.database import Connection, connect
from gateway.keys.cache import KeyCache
from gateway.store import keys

CHANNEL = "chat_api_keys"  # the trigger on chat_api_keys notifies it
POLL_S = 0.4  # the truth; NOTIFY only makes it faster, and may be missing behind a pooler. Two fit into TRUST_S
RETRY_S = 0.5  # after a lost connection; meanwhile requests ask the database themselves, or get 503
TOUCH_S = 30.0  # last_used_at may lag this far, and costs one statement per worker
JOIN_S = 3.0  # a worker that leaves waits no longer for this thread

_log = structlog.get_logger(__name__)


class KeySync:
    """Listens for changed keys and re-reads every cached one at least every POLL_S, on a connection of its own."""

    def __init__(self, database_url: str, cache: KeyCache) -> None:
        self._url = database_url
        self._cache = cache
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name="key-sync", daemon=True)
        self._connection: Connection | None = None
        self._touched_at = monotonic()
        self._failing = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write down the last uses and end the thread; waits at most JOIN_S."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_S)

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.run_once()
                self._note(None)
                self._wait()
            except psycopg.Error as error:
                self._note(error)
                self._disconnect()
                self._stopping.wait(RETRY_S)
        with contextlib.suppress(psycopg.Error):
            self._touch()
        self._disconnect()

    def run_once(self) -> int:
        """Re-read every cached key; return how many. Raises psycopg.Error when the database does not answer."""
        connection = self._connect()
        key_ids = self._cache.ids()
        if key_ids:
            read_at = monotonic()
            self._cache.replace(key_ids, keys.list_by_ids(connection, key_ids), read_at=read_at)
        if monotonic() - self._touched_at >= TOUCH_S:
            self._touch()
        return len(key_ids)

    def _note(self, error: psycopg.Error | None) -> None:
        """Log only the change: an outage is two lines, not two per second."""
        if error is not None and not self._failing:
            _log.warning("key_sync_failed", error=" ".join(str(error).split()))
        elif error is None and self._failing:
            _log.info("key_sync_recovered")
        self._failing = error is not None

    def _wait(self) -> None:
        for _ in self._connect().notifies(timeout=POLL_S, stop_after=1):
            pass

    def _touch(self) -> None:
        self._touched_at = monotonic()
        if not (used := self._cache.take_used()):
            return
        try:
            keys.touch(self._connect(), used)
        except psycopg.Error:
            self._cache.put_back_used(used)
            raise

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = connect(self._url, "crossfade-gateway-keys")
            self._connection.execute(f"listen {CHANNEL}")
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
