"""The breaker: how long a failing sink is left alone, and when it counts as down."""

import random

from realtime_bridge.relay.health import MAX_DELAY_S, MAX_RETRY_AFTER_S, OPEN_AFTER, Breaker, BreakerState


def test_delays_grow_and_stay_bounded() -> None:
    """Each failure waits longer than the one before, up to a bound."""
    breaker = Breaker(jitter=random.Random(1))
    delays = [breaker.failed() for _ in range(40)]
    assert delays[0] < delays[2] < delays[4]
    assert max(delays) <= MAX_DELAY_S * 1.2


def test_it_opens_after_consecutive_failures_and_closes_at_the_first_success() -> None:
    """Five failures in a row open it, one success closes it."""
    breaker = Breaker()
    for _ in range(OPEN_AFTER):
        assert breaker.state is BreakerState.CLOSED
        breaker.failed()
    states = [breaker.state]
    assert breaker.succeeded()
    states.append(breaker.state)
    assert not breaker.succeeded()
    assert states == [BreakerState.OPEN, BreakerState.CLOSED]


def test_a_provider_may_ask_for_patience_but_not_for_silence() -> None:
    """Retry-After is honoured up to a minute."""
    assert Breaker().failed(retry_after_s=30) == 30
    assert Breaker().failed(retry_after_s=86_400) == MAX_RETRY_AFTER_S
