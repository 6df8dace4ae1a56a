"""Warning to the operator of a proxy that nobody said to trust."""

import structlog
from flask import Flask, request

from gateway.metrics import Metrics

WARNING = (
    "A request came with X-Forwarded-For, and CROSSFADE_TRUSTED_PROXIES is 0. If a proxy of yours sent it, set the"
    " number of proxies: until then all its clients are one address, and share its limits."
)
_log = structlog.get_logger(__name__)


class ForwardedGate:
    """Says it once per worker, and counts. Any client can send the header, so nothing else follows from it."""

    def __init__(self, trusted_proxies: int, metrics: Metrics) -> None:
        self._trusted = trusted_proxies
        self._metrics = metrics
        self._has_warned = False

    def install(self, app: Flask) -> None:
        if not self._trusted:
            app.before_request(self._look)

    def _look(self) -> None:
        if "X-Forwarded-For" not in request.headers:
            return
        self._metrics.untrusted_forwards.inc()
        if not self._has_warned:
            self._has_warned = True
            _log.warning("proxy_not_trusted", detail=WARNING)
