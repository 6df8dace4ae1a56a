"""Last gate before the views: the body is here. A large one is read before its request has a place among the working.

Whoever proves itself by a signature, of the URL or of the body, reads in the view, after as much proof as can be had.
"""

from flask import Flask, g, request

from gateway.fairness.transfers import Transfers, may_be_slow
from gateway.gates.turnstile import TurnstileGate


class BodyGate:
    def __init__(self, turnstile: TurnstileGate, transfers: Transfers) -> None:
        self._turnstile = turnstile
        self._transfers = transfers

    def install(self, app: Flask) -> None:
        self._transfers.install(app)
        app.before_request(self._read)

    def _read(self) -> None:
        if "api_key" not in g or request.url_rule is None or not may_be_slow():
            return
        self._transfers.read_body(g.api_key.account_id)
        self._turnstile.step_in()
