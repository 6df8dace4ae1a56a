"""`/livez`, `/readyz` and `/metrics`: outside keys, limits and the access log. They tell nothing of any account."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from flask import Blueprint, Response

import migrations.versions
from gateway.db import Database
from gateway.errors import ServiceUnavailable
from gateway.limit_storage import LimitStorage
from gateway.metrics import CONTENT_TYPE, Metrics
from gateway.store import health as store

READY_TIMEOUT_S = 1.0  # a probe gets its answer within this; the database's own patience may be longer
OK, DOWN, DEGRADED, BEHIND = "ok", "down", "degraded", "behind"


def blueprint(database: Database, limits: Callable[[], LimitStorage], metrics: Metrics) -> Blueprint:
    routes = Blueprint("health", __name__)
    wanted = newest_version()
    prober = ThreadPoolExecutor(1, thread_name_prefix="readyz")  # so that probes never hold more than one connection

    def livez() -> Response:
        """The process answers; nothing else is looked at, or a database outage would restart every worker."""
        return _answer(200, {"status": OK})

    def readyz() -> Response:
        """Without the database no request can succeed; without Redis all do, only unlimited."""
        checks = _in_time(prober, lambda: _database(database, wanted)) | {"redis": OK if limits().check() else DEGRADED}
        ready = checks["database"] == OK and checks["schema"] == OK
        return _answer(200 if ready else 503, {"status": OK if ready else DOWN, **checks})

    def metrics_text() -> Response:
        return Response(metrics.render(), content_type=CONTENT_TYPE)

    routes.add_url_rule("/livez", view_func=livez, methods=["GET"])
    routes.add_url_rule("/readyz", view_func=readyz, methods=["GET"])
    routes.add_url_rule("/metrics", view_func=metrics_text, methods=["GET"])
    return routes


def newest_version() -> str:
    """The migration this code was written against: versions are NNNN_words.py and linear."""
    directory = Path(migrations.versions.__file__ or "").parent
    return max(file.name[:4] for file in directory.glob("[0-9][0-9][0-9][0-9]_*.py"))


def _in_time(prober: ThreadPoolExecutor, check: Callable[[], dict[str, str]]) -> dict[str, str]:
    try:
        return prober.submit(check).result(READY_TIMEOUT_S)
    except TimeoutError:
        return {"database": DOWN, "schema": "unknown"}


def _database(database: Database, wanted: str) -> dict[str, str]:
    try:
        with database.connection() as connection:
            version = store.find_schema_version(connection)
    except ServiceUnavailable:
        return {"database": DOWN, "schema": "unknown"}
    except psycopg.errors.UndefinedTable:
        return {"database": OK, "schema": BEHIND}
    # A newer schema is fine: migrations expand first, and the old code serves on while the new one is rolled out.
    return {"database": OK, "schema": OK if (version or "") >= wanted else BEHIND}


def _answer(status: int, body: dict[str, str]) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")
