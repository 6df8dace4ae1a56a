"""Gate of the body: it is here before the view. A large one is read before its request has a place among the working.

Whoever proves itself by a signature, of the URL or of the body, reads in the view, after as much proof as can be had.
"""

from flask import Flask, g, request

from gateway.errors import PayloadTooLarge
from gateway.gates.turnstile import TurnstileGate
from gateway.http.routes import current
from gateway.http.validation import MAX_BODY_BYTES
from gateway.process.transfers import Transfers, may_be_slow


class BodyGate:
    """A route may take more than `max_body_bytes`, which is what the others take."""

    def __init__(self, max_body_bytes: int, turnstile: TurnstileGate, transfers: Transfers) -> None:
        self._max = max_body_bytes
        self._turnstile = turnstile
        self._transfers = transfers

    def install(self, app: Flask) -> None:
        app.config[MAX_BODY_BYTES] = self._max
        # Werkzeug cuts a chunked body off here without a word; the byte too many tells `read_body` that it did.
        app.config["MAX_CONTENT_LENGTH"] = self._max + 1
        self._transfers.install(app)
        app.before_request(self._read)

    def _read(self) -> None:
        route = current()
        limit = (route and route.largest_body) or self._max
        request.max_content_length = limit + 1
        if (request.content_length or 0) > limit:
            raise PayloadTooLarge(f"Send at most {limit} bytes.")
        if "api_key" not in g or request.url_rule is None or not may_be_slow():
            return
        self._transfers.read_body(g.api_key.account_id)
        self._turnstile.step_in()
