"""Metrics of the gateway. One instance per app; gunicorn's workers share their figures through files."""

import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
FRESH_S = 1.0  # gathering reads the files of all workers: some milliseconds of processor, whoever asks
BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """`route` is the rule's text, never a path: the number of series stays bounded."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._rendering = threading.Lock()
        self._rendered, self._rendered_at = b"", float("-inf")
        self._registry = CollectorRegistry()
        counter = partial(Counter, registry=self._registry)
        self.requests = counter("chat_api_request_count", "Requests answered.", ["method", "route", "status"])
        self.seconds = Histogram(
            "chat_api_request_latency_seconds",
            "Time from the first gate to the answer.",
            ["method", "route"],
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self.key_lookups = counter("chat_api_key_lookups", "Where a key's state came from.", ["source"])
        self.limits_not_applied = counter("chat_api_limits_not_applied", "Limits waved through because Redis was away.")
        self.keys_not_checked = counter(
            "chat_api_keys_not_checked", "Requests refused because no key could be checked."
        )
        self.waiting_consumers = Gauge(
            "chat_api_waiting_consumers",
            "Requests for events that stay open until one comes.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self.turned_away = counter("chat_api_turned_away", "Requests refused because too many waited, or for too long.")
        self.untrusted_forwards = counter(
            "chat_api_untrusted_forwards", "Requests with X-Forwarded-For while no proxy is trusted."
        )
        self.wuzapi_events = counter(
            "chat_api_wuzapi_events", "Signed WUZAPI events, by what became of them.", ["result"]
        )

    def render(self) -> bytes:
        """Prometheus text, not older than FRESH_S: of all workers under gunicorn, else of this process."""
        with self._rendering:
            if self._clock() >= self._rendered_at + FRESH_S:
                self._rendered = self._render()
                self._rendered_at = self._clock()
            return self._rendered

    def _render(self) -> bytes:
        directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
        if not directory or not Path(directory).is_dir():
            return generate_latest(self._registry)
        collected = CollectorRegistry()
        MultiProcessCollector(collected, path=directory)  # type: ignore[no-untyped-call]
        return generate_latest(collected)
