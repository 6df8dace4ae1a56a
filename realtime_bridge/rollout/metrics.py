"""Metrics of gates and plans, in every bridge. Labels are few and fixed."""

from prometheus_client import Counter, Gauge

from realtime_bridge.rollout.adoption import Adoption
from realtime_bridge.rollout.gate.findings import Outcome

GATE = Gauge(
    "crossfade_rollout_gate", "1 for the gate's last verdict.", ["flag", "outcome"], multiprocess_mode="mostrecent"
)
ROLLBACKS = Counter("crossfade_rollout_gate_rollbacks", "Times a failing gate turned the dial back.", ["flag"])
ALARMS = Counter("crossfade_rollout_gate_alarms", "Times a gate failed where nothing turns back by itself.", ["flag"])
USERS = Gauge(
    "crossfade_rollout_users",
    "Users who hold an answer of a side (told), have asked since the last change (asked), have sockets (connected).",
    ["flag", "side", "state"],
)
LEFT = Gauge("crossfade_rollout_users_left", "Users who are left on legacy, whom complete would cut off.", ["flag"])
NOTICES = Counter("crossfade_rollout_notices", "Clients that were asked to ask again.", ["flag", "side"])
NOTICES_LOST = Counter("crossfade_rollout_notices_lost", "Notices that a side did not take in time.", ["flag", "side"])


def show_adoption(flag: str, found: Adoption | None) -> None:
    """Show who has moved; None: another bridge does."""
    if found is None:
        USERS.clear()
        LEFT.clear()
        return
    LEFT.labels(flag).set(found.left_count)
    for side, figures in found.sides.items():
        states = {"told": figures.told, "asked": figures.asked, "connected": figures.connected}
        for state, count in states.items():
            if count is not None:
                USERS.labels(flag, side.value, state).set(count)


def show_verdict(flag: str, outcome: Outcome) -> None:
    for each in Outcome:
        GATE.labels(flag, each.value).set(outcome is each)
