"""Where the endpoint deliberately answers otherwise than the recordings. Every row needs a reason; keep it short."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.integration.local_supabase.recordings.scenarios import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Recorded steps of some scenarios that are expected to come out as `instead` (None: not compared)."""

    scenarios: tuple[str, ...]
    reason: str
    concerns: Callable[[Step], bool]
    instead: Any


def _status(status: int) -> Callable[[Step], bool]:
    return lambda step: not step.sent and isinstance(step.data, dict) and step.data.get("status") == status


DIFFERENCES = [
    Difference(
        scenarios=("06d_http_cors",),
        reason="Hosted projects have a gateway that answers preflights; without it no browser could use the HTTP API.",
        concerns=_status(404),
        instead={"status": 204, "headers": {"access-control-allow-origin": "*"}, "body_raw": ""},
    ),
    Difference(
        scenarios=("12b_server_stop_behind_gateway.v2",),
        reason="The 502 pages are nginx's own. We are the gateway: while we are down, connections are refused.",
        concerns=_status(502),
        instead={"status": None, "error": "ConnectionRefusedError"},
    ),
]


def find(scenario: str, step: Step) -> Difference | None:
    """Return the difference that covers a step, if one does."""
    for difference in DIFFERENCES:
        if scenario in difference.scenarios and difference.concerns(step):
            return difference
    return None


# Of the recorded scenarios: (scenario, step, connection) that come out otherwise, and why.
SCENARIO_DIFFERENCES: dict[tuple[str, str, str], str] = {}
