"""Prometheus metrics of the bridge, one process. Labels are sinks or sides, so the series are few and fixed.

The dotted names of the old monitoring are these, with Prometheus' spelling: `chat.realtime.connection.count` →
`chat_realtime_connection_count`, `chat.realtime.message.latency` → `chat_realtime_message_latency_seconds`,
`chat.realtime.broadcast.success` and `.failure` → `chat_realtime_broadcast_success_total` and `_failure_total`.
The gateway has `chat_api_request_count_total` and `chat_api_request_latency_seconds`.
"""

from prometheus_client import Counter, Gauge, Histogram

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)  # 0.5 is the alert's own limit

DELIVERED = Counter("crossfade_sink_delivered_events", "Events delivered by a sink.", ["sink"])
PARKED = Counter("crossfade_sink_parked_events", "Events a sink refused and that were parked.", ["sink"])
SKIPPED = Counter("crossfade_sink_skipped_events", "Events passed over because the side is not fed.", ["sink"])
FAILURES = Counter("crossfade_sink_failures", "Failed tries to deliver.", ["sink"])
HIGH_WATER = Gauge("crossfade_sink_high_water", "Newest log id that the sink has settled.", ["sink"])
HOLES = Gauge("crossfade_sink_holes", "Log ids below the mark that may still appear, or wait their turn.", ["sink"])
LEASE_HELD = Gauge("crossfade_sink_lease_held", "1 while this bridge delivers for the sink.", ["sink"])
BREAKER_OPEN = Gauge("crossfade_sink_breaker_open", "1 while the sink takes only probes.", ["sink"])
CONSECUTIVE_FAILURES = Gauge(
    "crossfade_sink_consecutive_failures",
    "Failed deliveries in a row, or probes in a row that nobody heard: the longer run, now.",
    ["sink"],
)
LAG_EVENTS = Gauge("crossfade_sink_lag_events", "Events of the log that the sink has not settled.", ["sink"])
LAG_SECONDS = Gauge("crossfade_sink_lag_seconds", "Age of the oldest event that the sink has not settled.", ["sink"])
PARKED_NOW = Gauge("crossfade_sink_parked_now", "Events that wait for an operator.", ["sink"])
LATENCY = Histogram(
    "crossfade_sink_latency_seconds",
    "From the event's commit time to its delivery.",
    ["sink"],
    buckets=LATENCY_BUCKETS_S,
)

CONNECTIONS = Gauge(
    "chat_realtime_connection_count",
    "Sockets open now: legacy clients here, and this bridge's own at Supabase.",
    ["side"],
)
MESSAGE_LATENCY = Histogram(
    "chat_realtime_message_latency_seconds",
    "From commit to a client of that side, measured by the canary.",
    ["side"],
    buckets=LATENCY_BUCKETS_S,
)
BROADCAST_SUCCESS = Counter("chat_realtime_broadcast_success", "Events broadcast.", ["sink"])
BROADCAST_FAILURE = Counter("chat_realtime_broadcast_failure", "Failed tries to broadcast an event.", ["sink"])

PARITY_LOST = Counter("crossfade_parity_lost_events", "Events settled by a sink that the canary never saw.", ["side"])
LOOP_LAG = Histogram(
    "crossfade_loop_lag_seconds", "How late this bridge gets to do what is due.", buckets=LATENCY_BUCKETS_S
)
SUPABASE_SILENT = Gauge("crossfade_supabase_silent", "1 while probes through the database are not delivered.")
PROBE_LATENCY = Histogram(
    "crossfade_probe_latency_seconds",
    "From the send of a probe, by SQL (path database) or by a post (path http), to the bridge's own seat.",
    ["path"],
    buckets=LATENCY_BUCKETS_S,
)
SUPABASE_DEAF = Gauge("crossfade_supabase_deaf", "1 while Supabase does not let this bridge in to listen.")
SUPABASE_RATE = Gauge("crossfade_supabase_rate", "Broadcasts a second that may go to Supabase on average; 0: no limit.")
SUPABASE_OVER_RATE = Gauge("crossfade_supabase_over_rate", "1 while events wait because of the project's rate.")
FALLBACK = Gauge("crossfade_supabase_over_http", "1 while HTTP stands in for the database path.")
SENT_AGAIN = Counter(
    "crossfade_supabase_sent_again", "Events that were sent again, because Realtime had perhaps not heard them."
)
SENT_AWAY = Counter(
    "crossfade_connections_sent_away",
    "Connections without a token that were ended: over their time (silent), or to make room (full).",
    ["reason"],
)
LIMITS_APART = Counter("crossfade_legacy_limits_apart", "Times the bridges began to count without their Redis.")
REPEATS_DROPPED = Counter("crossfade_legacy_repeats", "Frames not sent because their room had heard as much, or more.")
SIGNS = Counter("crossfade_ephemeral_signs", "Signs of typing and presence carried over.", ["origin"])
SIGNS_DROPPED = Counter("crossfade_ephemeral_dropped", "Signs dropped because there were too many.")
for _side in ("legacy", "supabase"):
    PARITY_LOST.labels(_side)  # a counter that appears with its first loss has no increase to alert on


WUZAPI_SENDS = Counter("crossfade_wuzapi_sends", "Tries to send a text to WUZAPI, by what became of them.", ["outcome"])
