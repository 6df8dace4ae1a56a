"""The arithmetic beneath the gates: exact chance, and percentiles of a histogram."""

import random
from math import comb

import pytest

from realtime_bridge.rollout.gate import chance, latency


def exact_tail(events: int, trials: int, probability: float) -> float:
    """P(X ≥ events), summed term by term."""
    return sum(comb(trials, k) * probability**k * (1 - probability) ** (trials - k) for k in range(events, trials + 1))


@pytest.mark.parametrize("trials", [1, 20, 500])
@pytest.mark.parametrize("probability", [0.001, 0.01, 0.05, 0.5])
def test_the_tail_is_exact(trials: int, probability: float) -> None:
    """On both sides of the mean, to nine digits."""
    for events in range(0, trials + 1, max(1, trials // 20)):
        expected = exact_tail(events, trials, probability)
        assert chance.tail(events, trials, probability) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_tail_at_its_ends() -> None:
    """Nothing is certain, more than everything is impossible, and large counts do not overflow."""
    assert chance.tail(0, 10, 0.5) == 1.0
    assert chance.tail(11, 10, 0.5) == 0.0
    assert chance.tail(1, 10, 0.0) == 0.0
    assert chance.tail(10, 10, 1.0) == 1.0
    assert chance.tail(20_000, 1_000_000, 0.01) < 1e-300
    assert not chance.exceeds(0, 0, 0.01, 0.05)


def test_a_window_of_500_fails_from_ten_errors_on() -> None:
    """Two per cent where one is allowed: the number that the runbook's table rests on."""
    assert not chance.exceeds(9, 500, 0.01, 0.05)
    assert chance.exceeds(10, 500, 0.01, 0.05)


def test_percentiles_lie_within_their_bucket() -> None:
    """Against the sorted values: never off by more than the bucket is wide."""
    source = random.Random(3)
    values = [source.lognormvariate(4, 1) for _ in range(10_000)]
    counts = latency.histogram(values)
    assert sum(counts) == len(values)
    for share in (0.5, 0.95, 0.99):
        exact = sorted(values)[int(share * len(values)) - 1]
        low = max((bound for bound in latency.BOUNDS_MS if bound < exact), default=0)
        high = min(bound for bound in latency.BOUNDS_MS if bound >= exact)
        found = latency.percentile_ms(counts, share)
        assert found is not None
        assert low <= found <= high


def test_the_gate_s_own_limit_is_decided_exactly() -> None:
    """500.0 ms is within, 500.1 ms is above; a lost event is later than everything."""
    assert latency.share_above(latency.histogram([500.0] * 3 + [500.1, float("inf")]), 500) == pytest.approx(0.4)
    assert latency.share_above(latency.histogram([]), 500) == 0.0
    assert latency.percentile_ms(latency.histogram([]), 0.95) is None
    assert latency.percentile_ms(latency.histogram([float("inf")]), 0.95) == 30_000.0
