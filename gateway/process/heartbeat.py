"""Heartbeat of a gateway in the database, beside the bridges': its provider. Written by each worker."""

import os
import socket
import threading

import psycopg
import structlog

from gateway.database import Database
from gateway.errors import ServiceUnavailable
from gateway.store import health
from realtime_bridge.shared.variables import Provider

INTERVAL_S = 2.0  # as bridges report; a database that is starting, or is yet to be migrated, is told then
JOIN_S = 3.0

_log = structlog.get_logger(__name__)


class Heartbeat:
    """One per worker. `start` writes at once if it can."""

    def __init__(self, database: Database, provider: Provider) -> None:
        self._database = database
        self._provider = provider
        self._failing = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self.run_once()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_S)

    def run_once(self) -> bool:
        """Write what the database does not know; False when it did not take it. A failure that lasts is one line."""
        try:
            with self._database.connection() as connection:
                health.report(connection, name(), self._provider.value)
        except (ServiceUnavailable, psycopg.Error) as error:
            if not self._failing:
                _log.warning("not_reported", error=f"{type(error).__name__}: {error}".strip())
            self._failing = True
            return False
        self._failing = False
        return True

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL_S):
            self.run_once()


def name() -> str:
    """Return how operators find this gateway: its machine and gunicorn's process, which all its workers share."""
    return f"{socket.gethostname()}:{os.getppid()}:gateway"
