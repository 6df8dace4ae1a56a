"""Port of its own for `/metrics`. Figures are the operator's, and gathering them costs more than a message."""

from flask import Flask, request

from gateway.errors import NotFound
from gateway.gates.request_id import QUIET

METRICS = "/metrics"


class OwnPortGate:
    """There nothing but figures and probes; and no figures elsewhere, nor anywhere when `port` is None."""

    def __init__(self, port: int | None) -> None:
        self._port = str(port)

    def install(self, app: Flask) -> None:
        app.before_request(self._check)

    def _check(self) -> None:
        is_there = request.environ.get("SERVER_PORT") == self._port  # of the socket, whatever the caller's Host
        if (request.path == METRICS and not is_there) or (is_there and request.path not in QUIET):
            raise NotFound("There is no such path here.")
