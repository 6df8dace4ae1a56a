"""How often the gate errs, by simulation: windows of 500 events with a true error rate, walked as the keeper does.

Run by hand: `.venv/bin/python -m tests.bench.bench_gates [--windows 100000] [--runs 5000] [--json]`. The suite runs a
smaller size with fixed seeds (tests/unit/rollout/test_gate_simulation.py).
"""

import argparse
import json

from tests.unit.rollout.test_gate_simulation import Simulation, rollbacks

HEALTHY = (0.001, 0.005, 0.008)
SICK = (0.015, 0.02, 0.03, 0.05)
WITHIN = 3  # windows


def false_rollbacks(rate: float, windows: int, seed: int) -> int:
    """Count rollbacks of a healthy side, in stretches of ten thousand windows (a week of minutes)."""
    stretches = max(1, windows // 10_000)
    return sum(rollbacks(Simulation(seed + n).windows(rate, min(windows, 10_000))) for n in range(stretches))


def caught(rate: float, runs: int, seed: int) -> float:
    """Return the share of rollouts that turn back within WITHIN windows."""
    simulation = Simulation(seed)
    return sum(rollbacks(simulation.windows(rate, WITHIN)) > 0 for _ in range(runs)) / runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    wrong = {rate: false_rollbacks(rate, options.windows, options.seed) for rate in HEALTHY}
    right = {rate: caught(rate, options.runs, options.seed) for rate in SICK}
    if options.json:
        counts = {"windows": options.windows, "runs": options.runs}
        print(json.dumps({**counts, "falseRollbacks": wrong, "caughtWithin3": right}))  # noqa: T201
        return
    for rate, count in wrong.items():
        print(f"healthy {rate:.1%}: {count} rollbacks in {options.windows} windows")  # noqa: T201
    for rate, share in right.items():
        print(f"sick {rate:.1%}: {share:.2%} caught within {WITHIN} windows of {options.runs} runs")  # noqa: T201


if __name__ == "__main__":
    main()
