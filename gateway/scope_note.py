"""A note in the database of whom accounts may name: policies and legacy sockets ask there. Written by each worker.

Gateways that differ in CROSSFADE_ACCOUNT_USERS overwrite each other's note; the last one to start wins.
"""

import threading

import psycopg
import structlog

from gateway.db import Database
from gateway.domain import UserScope
from gateway.errors import ServiceUnavailable
from gateway.store import users

RETRY_S = 2.0  # until it is written once: a database that is starting, or is yet to be migrated
JOIN_S = 3.0

_log = structlog.get_logger(__name__)


class ScopeNote:
    """One per worker. `start` writes at once if it can."""

    def __init__(self, database: Database, scope: UserScope) -> None:
        self._database = database
        self._scope = scope
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._retry, name="scope-note", daemon=True)

    def start(self) -> None:
        if not self.run_once():
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_S)

    def run_once(self) -> bool:
        """Write the note if it says something else; False when the database did not take it."""
        try:
            with self._database.connection() as connection:
                users.note_scope(connection, self._scope.value)
        except (ServiceUnavailable, psycopg.Error) as error:
            _log.warning("scope_not_noted", scope=self._scope.value, error=f"{type(error).__name__}: {error}".strip())
            return False
        return True

    def _retry(self) -> None:
        while not self._stopping.wait(RETRY_S):
            if self.run_once():
                return
