"""Metrics of the dial, in every process that follows it.

Gateway workers share their figures: of a gauge the most recent value is shown, for all of them read the same row.
"""

from prometheus_client import Gauge

from realtime_bridge.rollout.dial.decision import Reading
from realtime_bridge.rollout.dial.stages import StageName

STAGE = Gauge(
    "crossfade_rollout_stage", "1 for the stage that the dial is at.", ["flag", "stage"], multiprocess_mode="mostrecent"
)
PERCENTAGE = Gauge(
    "crossfade_rollout_percentage", "Share of users who are told Supabase.", ["flag"], multiprocess_mode="mostrecent"
)
VERSION = Gauge("crossfade_rollout_version", "Changes of the dial so far.", ["flag"], multiprocess_mode="mostrecent")


def show(reading: Reading) -> None:
    for stage in StageName:
        STAGE.labels(reading.flag, stage.value).set(reading.stage.name == stage)
    PERCENTAGE.labels(reading.flag).set(reading.stage.percentage)
    VERSION.labels(reading.flag).set(reading.version)
