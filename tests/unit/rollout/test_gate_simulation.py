"""The gate over thousands of simulated windows: how often it turns back, and how soon."""

import random
from collections.abc import Sequence

from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate.findings import Outcome
from realtime_bridge.rollout.gate.policy import HORIZON
from realtime_bridge.rollout.gate.verdict import judge
from realtime_bridge.rollout.gate.windows import GateWindow
from tests.unit.rollout.gates import POLICY, new, window


class Simulation:
    """Windows of 500 events with a true error rate; what the gate says after each."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def windows(self, rate: float, count: int) -> Sequence[GateWindow]:
        return [window(n, supabase=new(errors=self.errors(rate)).sides[Side.SUPABASE]) for n in range(count)]

    def errors(self, rate: float) -> int:
        return sum(self.random.random() < rate for _ in range(500))


def rollbacks(windows: Sequence[GateWindow]) -> int:
    """How often the gate turns back while it walks over `windows`, starting afresh after each time."""
    count, start = 0, 0
    for end in range(1, len(windows) + 1):
        if judge(windows[max(start, end - HORIZON) : end], POLICY, failures_now={}).outcome is Outcome.FAIL:
            count, start = count + 1, end
    return count


def test_a_healthy_side_is_not_rolled_back() -> None:
    """0.5 % errors for 10,000 windows: not 1 % of them turn back, and in fact none does."""
    assert rollbacks(Simulation(seed=7).windows(0.005, 10_000)) == 0


def test_a_sick_side_is_caught_within_three_windows() -> None:
    """3 % errors: at least 99 of 100 rollouts turn back by the third window."""
    simulation = Simulation(seed=11)
    caught = sum(rollbacks(simulation.windows(0.03, 3)) > 0 for _ in range(1_000))
    assert caught >= 990


def test_a_sick_side_is_caught_as_fast_after_a_long_healthy_time() -> None:
    """Good windows of the past do not outvote three bad ones."""
    simulation = Simulation(seed=13)
    healthy = list(simulation.windows(0.005, HORIZON))
    caught = sum(rollbacks([*healthy, *simulation.windows(0.03, 3)]) > 0 for _ in range(100))
    assert caught >= 99
