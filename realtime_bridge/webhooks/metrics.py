"""Prometheus metrics of the webhook senders. Labels are words of ours, never endpoints: the series stay few."""

from prometheus_client import Counter, Gauge, Histogram

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

ATTEMPTS = Counter("crossfade_webhook_attempts", "Attempts by outcome.", ["outcome"])
ATTEMPT_SECONDS = Histogram("crossfade_webhook_attempt_seconds", "Duration of attempts.", buckets=BUCKETS_S)
FIRST_ATTEMPT_SECONDS = Histogram(
    "crossfade_webhook_first_attempt_seconds",
    "From the event's commit time to the start of its first attempt.",
    buckets=BUCKETS_S,
)
IN_FLIGHT = Gauge("crossfade_webhook_in_flight", "Requests that this bridge has under way.")
FAILED = Counter("crossfade_webhook_deliveries_failed", "Deliveries that used up their attempts.")
NOTICES = Counter("crossfade_webhook_notices", "Endpoints degraded, failing, disabled, recovered.", ["type"])
LEASES_LOST = Counter("crossfade_webhook_leases_lost", "Results that came after their claim had expired.")
