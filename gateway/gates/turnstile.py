"""Second gate: how many requests work at once in this worker. Whoever waits for events steps aside and counts no more.

gunicorn's threads are as many as requests that work *and* consumers that wait; only this many of them compete for the
processor and the database, so that a flood queues here and is answered in turn.
"""

import threading

from flask import Flask, g, request

from gateway.errors import ServiceUnavailable
from gateway.gates.request_id import QUIET

QUEUE_S = 10.0  # a request that has waited longer has lost its client


class TurnstileGate:
    def __init__(self, at_once: int) -> None:
        self._places = threading.BoundedSemaphore(at_once)

    def install(self, app: Flask) -> None:
        app.before_request(self._enter)
        app.teardown_request(lambda _: self.step_aside())

    def step_aside(self) -> None:
        """Give the place of this request to another; again does nothing."""
        if g.pop("has_place", False):
            self._places.release()

    def step_in(self) -> None:
        """Take a place again: hundreds of consumers that wake at once would spend their time on each other."""
        if "has_place" in g:
            return
        if not self._places.acquire(timeout=QUEUE_S):
            raise ServiceUnavailable
        g.has_place = True

    def _enter(self) -> None:
        if request.path not in QUIET:  # probes are answered also while everybody queues
            self.step_in()
