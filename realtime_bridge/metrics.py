"""Prometheus metrics of the bridge, one process. Labels are sinks, so the number of series is small and fixed."""

from collections.abc import Sequence
from datetime import UTC, datetime

from prometheus_client import Counter, Gauge, Histogram

from realtime_bridge.cursor import Cursor
from realtime_bridge.events import Event

DELIVERED = Counter("crossfade_sink_delivered_events", "Events delivered by a sink.", ["sink"])
PARKED = Counter("crossfade_sink_parked_events", "Events a sink refused and that were parked.", ["sink"])
FAILURES = Counter("crossfade_sink_failures", "Failed tries to deliver.", ["sink"])
HIGH_WATER = Gauge("crossfade_sink_high_water", "Newest log id that the sink has settled.", ["sink"])
HOLES = Gauge("crossfade_sink_holes", "Log ids below the high-water mark that may still appear.", ["sink"])
LEASE_HELD = Gauge("crossfade_sink_lease_held", "1 while this bridge delivers for the sink.", ["sink"])
BREAKER_OPEN = Gauge("crossfade_sink_breaker_open", "1 while the sink takes only probes.", ["sink"])
LATENCY = Histogram(
    "crossfade_sink_latency_seconds",
    "From the event's commit time to its delivery.",
    ["sink"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)


def observe(sink: str, cursor: Cursor, settled: Sequence[Event], refused: int) -> None:
    """Note what one page did."""
    now = datetime.now(UTC)
    for event in settled:
        LATENCY.labels(sink).observe(max(0.0, (now - event.created_at).total_seconds()))
    DELIVERED.labels(sink).inc(len(settled) - refused)
    PARKED.labels(sink).inc(refused)
    HIGH_WATER.labels(sink).set(cursor.high_water)
    HOLES.labels(sink).set(cursor.hole_count)


WUZAPI_SENDS = Counter("crossfade_wuzapi_sends", "Tries to send a text to WUZAPI, by what became of them.", ["outcome"])
