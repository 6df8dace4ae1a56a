"""`/livez`, `/readyz` and `/metrics`: outside keys, limits and the access log. They tell nothing of any account."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import monotonic

import psycopg
from flask import Response

import migrations.versions
from gateway.database import Database
from gateway.errors import ServiceUnavailable
from gateway.fairness.limit_storage import LimitStorage
from gateway.http.routes import Proof, Route
from gateway.metrics import CONTENT_TYPE, Metrics
from gateway.store import health as store

READY_TIMEOUT_S = 1.0  # a probe gets its answer within this; the database's own patience may be longer
FRESH_S = 0.2  # anybody may ask, as often as they like
WRITE_TRUST_S = 5.0  # a probe comes every second, and a full disk does not come and go
OK, DOWN, DEGRADED, BEHIND, FULL, UNKNOWN = "ok", "down", "degraded", "behind", "full", "unknown"
NO_DATABASE = {"database": DOWN, "schema": UNKNOWN, "writes": UNKNOWN}

Checks = dict[str, str]


class Readiness:
    """`is_full` tells that requests wait for much too long, or are refused, because others do."""

    def __init__(self, database: Database, limits: Callable[[], LimitStorage], is_full: Callable[[], bool]) -> None:
        self._database = database
        self._wanted = newest_version()
        self._could_write_at = float("-inf")
        self._check_database = Probe(self._look, NO_DATABASE)
        self._check_redis = Probe(lambda: {"redis": OK if limits().check() else DEGRADED}, {"redis": DEGRADED})
        self._is_full = is_full

    def __call__(self) -> Checks:
        return self._check_database() | self._check_redis() | {"turnstile": FULL if self._is_full() else OK}

    def _look(self) -> Checks:
        """Look at database and schema each time, and try a write now and then. Called by one thread."""
        try:
            with self._database.connection() as connection:
                version = store.find_schema_version(connection) or ""
        except ServiceUnavailable:
            return NO_DATABASE
        except psycopg.errors.UndefinedTable:
            version = ""
        # A newer schema is fine: migrations expand first, and the old code serves on while the new one is rolled out.
        if version < self._wanted:
            return {"database": OK, "schema": BEHIND, "writes": UNKNOWN}
        return {"database": OK, "schema": OK, "writes": OK if self._can_write() else DOWN}

    def _can_write(self) -> bool:
        """Trust a success for a while; after a failure look again each time."""
        if monotonic() - self._could_write_at < WRITE_TRUST_S:
            return True
        try:
            with self._database.connection() as connection:
                store.try_write(connection)
        except ServiceUnavailable:
            return False
        self._could_write_at = monotonic()
        return True


def livez() -> Response:
    """The process answers; nothing else is looked at, or a database outage would restart every worker."""
    return _answer(200, {"status": OK})


def readyz(check: Readiness) -> Response:
    """Without the database, or room for a write, no request can succeed; without Redis all do, only unlimited."""
    checks = check()
    ready = all(checks[name] == OK for name in ("database", "schema", "writes", "turnstile"))
    return _answer(200 if ready else 503, {"status": OK if ready else DOWN, **checks})


def metrics_text(metrics: Metrics) -> Response:
    return Response(metrics.render(), content_type=CONTENT_TYPE)


_route = partial(Route, "GET", area="health", proof=Proof.NOTHING)
ROUTES = (_route("/livez", livez), _route("/readyz", readyz), _route("/metrics", metrics_text))


def newest_version() -> str:
    """The migration this code was written against: versions are NNNN_words.py and linear."""
    directory = Path(migrations.versions.__file__ or "").parent
    return max(file.name[:4] for file in directory.glob("[0-9][0-9][0-9][0-9]_*.py"))


class Probe:
    """One check at a time, shared by all who ask meanwhile and a moment later: a flood of probes costs one connection.

    `unknown` is the answer when the check takes too long.
    """

    def __init__(self, check: Callable[[], Checks], unknown: Checks) -> None:
        self._check = check
        self._unknown = unknown
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="readyz")
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._answer: Future[Checks] | None = None

    def __call__(self) -> Checks:
        with self._lock:
            is_old = monotonic() - self._asked_at >= FRESH_S
            if self._answer is None or (is_old and self._answer.done()):
                self._asked_at = monotonic()
                self._answer = self._thread.submit(self._check)
            answer = self._answer
        try:
            return answer.result(READY_TIMEOUT_S)
        except TimeoutError:
            return self._unknown


def _answer(status: int, body: Checks) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")
