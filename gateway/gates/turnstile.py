"""The gate of how many requests work at once in this worker. Whoever waits, for events or a body, counts no more.

gunicorn's threads are as many as requests that work, queue, read bodies *and* wait for events; only this many of them
compete for the processor and the database, so that a flood queues here and is answered in turn, account by account. It
stands behind the key's gate, because nobody without a key takes a place here. What is open to all has
a narrow door of its own; what is proven by a signature steps in when it is.
"""

from collections.abc import Callable, Hashable

from flask import Flask, g, request

from gateway.errors import ServiceUnavailable
from gateway.fairness.places import OPEN_AT_ONCE, OPEN_QUEUED, QUEUED
from gateway.gates.request_id import QUIET
from gateway.http.routes import Proof, current
from realtime_bridge.shared.shares import Queue, QueueFull

QUEUE_S = 10.0  # a request that has waited longer has lost its client
FULL_S = 5.0  # half of what a client waits: by then this worker had better get no more


class TurnstileGate:
    def __init__(self, at_once: int, on_refusal: Callable[[], None]) -> None:
        self._on_refusal = on_refusal
        self._places = Queue(at_once, QUEUED)
        self._open = Queue(OPEN_AT_ONCE, OPEN_QUEUED)

    def install(self, app: Flask) -> None:
        app.before_request(self._enter)
        app.teardown_request(lambda _: self.step_aside())

    def step_aside(self) -> None:
        """Give the place of this request to another; again does nothing."""
        place = g.pop("place", None)
        if place is not None:
            queue, owner = place
            queue.leave(owner)

    def step_in(self, owner: Hashable = None) -> None:
        """Take a place, also again; for the account of the request's key unless `owner` is said.

        Hundreds of consumers that wake at once would spend their time on each other.
        """
        if "place" not in g:
            self._take(self._places, owner if owner is not None else g.api_key.account_id)

    def is_full(self) -> bool:
        """Whether whoever comes waits for much too long, or was refused a moment ago: for `/readyz`.

        What one account's crowd does to itself says nothing: a load balancer would send it on to the next worker.
        """
        return self._places.stuck_s() > FULL_S or self._places.full_s_ago() < FULL_S

    def _enter(self) -> None:
        if request.path in QUIET:  # probes are answered also while everybody queues
            return
        if "api_key" in g:
            self.step_in()
        elif (route := current()) is not None and route.proof is Proof.NOTHING:
            self._take(self._open, None)

    def _take(self, queue: Queue, owner: Hashable) -> None:
        try:
            entered = queue.enter(owner, QUEUE_S)
        except QueueFull:
            entered = False
        if not entered:
            self._on_refusal()
            raise ServiceUnavailable("Too many requests wait; try again in a moment.")
        g.place = (queue, owner)
