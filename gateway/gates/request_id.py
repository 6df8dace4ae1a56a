"""Gate of the request id, and of the access log's line."""

import os
import re
from secrets import token_hex
from time import perf_counter

import structlog
from flask import Flask, Response, g, request

from gateway.metrics import Metrics

QUIET = frozenset({"/livez", "/readyz", "/metrics"})  # probes come every second; their answers are in the metrics
_SANE = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context §3.2
_log = structlog.get_logger("gateway.access")


class RequestIdGate:
    """Takes over a sane `X-Request-Id`, else makes one; always returns it, and binds it into every log line."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def install(self, app: Flask) -> None:
        app.before_request(self._begin)
        app.after_request(self._end)
        app.teardown_request(lambda _: structlog.contextvars.clear_contextvars())  # threads are used again

    def _begin(self) -> None:
        g.began = perf_counter()
        offered = request.headers.get("X-Request-Id", "")
        g.request_id = offered if _SANE.fullmatch(offered) else token_hex(16)
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        traceparent = request.headers.get("traceparent", "")
        if _TRACEPARENT.fullmatch(traceparent):
            structlog.contextvars.bind_contextvars(trace_id=traceparent.split("-")[1], traceparent=traceparent)

    def _end(self, response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers.setdefault("Cache-Control", "no-store")
        seconds = perf_counter() - g.began
        route = request.url_rule.rule if request.url_rule else "unrouted"
        method = request.method if request.method in ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE") else "other"
        self._metrics.requests.labels(method, route, response.status_code).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        if route not in QUIET:
            key = g.get("api_key")
            _log.info(
                "request",
                method=method,
                route=route,
                status=response.status_code,
                code=g.get("problem_code"),
                duration_ms=round(seconds * 1000, 2),
                key_id=key.id if key else None,
                worker=os.getpid(),
            )
        return response
