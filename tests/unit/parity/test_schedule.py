"""A measuring that keeps its schedule: what it missed is late, and not left out."""

import pytest

from realtime_bridge.parity.ledger import Ledger, sample
from realtime_bridge.parity.loop_lag import LoopLag
from realtime_bridge.parity.ticks import MAX_MISSED, Schedule
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate.latency import percentile_ms, share_above
from realtime_bridge.shared.canary_user import CANARY_ID


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_ticks_are_due_when_they_are_due() -> None:
    """A late look gets every tick since the last one, each with its own moment, and the distance does not drift."""
    clock = Clock()
    schedule = Schedule(lambda: 10.0, clock)
    assert schedule.take() == []
    assert schedule.wait_s == pytest.approx(0.1)
    clock.now += 0.13
    assert schedule.take() == [pytest.approx(100.1)]
    assert schedule.wait_s == pytest.approx(0.07)
    clock.now += 0.29
    assert schedule.take() == [pytest.approx(tick) for tick in (100.2, 100.3, 100.4)]


def test_a_faster_rate_counts_from_when_it_is_seen() -> None:
    """Nobody waits for the rest of a long distance when a rollout begins, and nothing is late that was not due."""
    clock, rates = Clock(), [1 / 60]
    schedule = Schedule(lambda: rates[0], clock)
    clock.now += 50
    assert schedule.take() == []
    rates[0] = 10.0
    assert schedule.wait_s == 0
    assert schedule.take() == [pytest.approx(150.0)]
    clock.now += 0.31
    assert len(schedule.take()) == 3


def test_a_slower_rate_forgives_nothing() -> None:
    """What a stall kept back at the old rate is late, although the rate has changed meanwhile."""
    clock, rates = Clock(), [10.0]
    schedule = Schedule(lambda: rates[0], clock)
    clock.now += 2.0
    rates[0] = 1 / 60
    assert len(schedule.take()) == 20
    assert schedule.wait_s == pytest.approx(60)


def test_a_long_absence_is_bounded() -> None:
    """The newest ticks are handed out; the next one is due as ever."""
    clock = Clock()
    schedule = Schedule(lambda: 10.0, clock)
    clock.now += 86_400
    due = schedule.take()
    assert len(due) == MAX_MISSED
    assert due[-1] == pytest.approx(clock.now)
    assert schedule.take() == []


def test_what_a_stall_kept_back_is_late_on_both_sides() -> None:
    """Stopped 1.5 s of every 4 s, a quarter of what users had sent is above 500 ms, and so it is for the ledger."""
    clock, ledger = Clock(), Ledger()
    schedule = Schedule(lambda: 10.0, clock)
    for seq in range(400):
        phase = clock.now % 4.0
        clock.now += 1.5 + 0.1 if phase >= 2.4 else 0.1
        if due := schedule.take():
            ledger.sent(seq, due[0], Side, due[1:])
            for side in Side:
                ledger.saw(side, seq, clock.now + 0.02)
    for side in Side:
        taken = sample(side, ledger.take(side))
        assert 0.2 < share_above(taken.latency_counts, 500) < 0.3
        assert (percentile_ms(taken.latency_counts, 0.95) or 0) > 1_000
        assert taken.missed > 0.3 * taken.sent
        assert sum(taken.latency_counts) == taken.sent + taken.missed


def test_what_was_missed_before_a_lost_event_never_came_either() -> None:
    """Each counts as late as can be; only what was in the log is lost."""
    ledger = Ledger()
    ledger.sent(1, 10.3, [Side.LEGACY], [10.1, 10.2])
    for _ in range(2):
        ledger.settle(Side.LEGACY, frozenset({1}))
    taken = sample(Side.LEGACY, ledger.take(Side.LEGACY))
    assert (taken.sent, taken.lost, taken.missed, taken.latency_counts[-1]) == (1, 1, 2, 3)


def test_a_loop_that_stands_still_is_late_for_everything_meanwhile() -> None:
    """A stall of a second at twenty looks a second is twenty late ones, from a second down to nothing."""
    clock = Clock()
    lag = LoopLag(clock)
    for _ in range(20):
        clock.now += 0.05
        lag.run_once()
    assert share_above(lag.take(), 1) == 0
    clock.now += 1.0
    assert lag.run_once() == 20
    assert 0.4 < share_above(lag.take(), 500) < 0.6


def test_the_canary_is_one_and_the_same_everywhere() -> None:
    """Its id stands in the database, too, so it never changes."""
    assert str(CANARY_ID) == "3a2dff9a-853e-5c26-b4fd-9cfdafe761fd"
