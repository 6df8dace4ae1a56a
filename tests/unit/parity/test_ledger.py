"""The ledger: what counts as seen, repeated, reordered and lost, and what is nobody's fault."""

import pytest

from realtime_bridge.parity.ledger import UNSEEN_AFTER_S, Ledger, sample
from realtime_bridge.rollout.dial.stages import Side

BOTH = tuple(Side)


def test_what_is_seen_has_a_latency_and_is_counted_once() -> None:
    """An event seen twice is one seen and one repeated; the latency is the first's."""
    ledger = Ledger()
    ledger.sent(1, 10.0, BOTH)
    assert ledger.saw(Side.LEGACY, 1, 10.25) == 250
    assert ledger.saw(Side.LEGACY, 1, 11.0) is None
    figures = ledger.take(Side.LEGACY)
    assert (figures.seen, figures.repeated, figures.reordered, figures.latencies_ms) == (1, 1, 0, [250])
    assert ledger.waiting(Side.SUPABASE) == 1
    assert ledger.take(Side.LEGACY).seen == 0


def test_an_older_event_after_a_newer_one_is_reordered() -> None:
    """Only its first appearance counts, and a repeat of an old event is no inversion."""
    ledger = Ledger()
    for seq in (1, 2, 3):
        ledger.sent(seq, 0.0, BOTH)
    for seq in (1, 3, 2, 1):
        ledger.saw(Side.SUPABASE, seq, 0.1)
    figures = ledger.take(Side.SUPABASE)
    assert (figures.seen, figures.reordered, figures.repeated) == (3, 1, 1)


def test_lost_is_what_two_looks_found_settled_and_unseen() -> None:
    """An event that the sink settled only just now may be on its way: the first look only suspects it."""
    ledger = Ledger()
    ledger.sent(1, 0.0, BOTH)
    assert ledger.unseen(Side.SUPABASE, UNSEEN_AFTER_S - 0.1) == []
    assert ledger.unseen(Side.SUPABASE, UNSEEN_AFTER_S + 0.1) == [1]
    assert ledger.settle(Side.SUPABASE, frozenset({1})) == []
    assert ledger.settle(Side.SUPABASE, frozenset({1})) == [1]
    assert ledger.settle(Side.SUPABASE, frozenset({1})) == []
    taken = sample(Side.SUPABASE, ledger.take(Side.SUPABASE))
    assert (taken.sent, taken.seen, taken.lost, taken.attempts) == (1, 0, 1, 0)
    assert sum(taken.latency_counts) == taken.latency_counts[-1] == 1, "lost is as late as can be"


def test_losses_in_a_row_are_failures_in_a_row() -> None:
    """A side that accepts everything and shows nothing is down; one event that gets through ends the run."""
    ledger = Ledger()
    for seq in range(1, 9):
        ledger.sent(seq, 0.0, BOTH)
    for first, last in ((1, 4), (1, 7), (5, 7)):
        ledger.settle(Side.SUPABASE, frozenset(range(first, last + 1)))
    assert sample(Side.SUPABASE, ledger.take(Side.SUPABASE)).consecutive_failures == 7
    ledger.saw(Side.SUPABASE, 8, 1.0)
    ledger.sent(9, 0.0, BOTH)
    for _ in range(2):
        ledger.settle(Side.SUPABASE, frozenset({9}))
    assert sample(Side.SUPABASE, ledger.take(Side.SUPABASE)).consecutive_failures == 1


def test_an_event_seen_between_two_looks_is_not_lost() -> None:
    """Late is not lost: it shows as latency."""
    ledger = Ledger()
    ledger.sent(1, 0.0, BOTH)
    ledger.settle(Side.SUPABASE, frozenset({1}))
    assert ledger.saw(Side.SUPABASE, 1, 9.0) == 9_000
    assert ledger.settle(Side.SUPABASE, frozenset({1})) == []
    assert ledger.take(Side.SUPABASE).lost == 0


def test_a_broken_socket_of_the_canary_is_not_held_against_the_side() -> None:
    """What was waited for is forgotten, and what a reconnect replays is neither seen nor an inversion."""
    ledger = Ledger()
    for seq in (1, 2, 3):
        ledger.sent(seq, 0.0, BOTH)
    ledger.saw(Side.LEGACY, 3, 0.1)
    ledger.excuse(Side.LEGACY)
    ledger.saw(Side.LEGACY, 2, 0.2)
    figures = ledger.take(Side.LEGACY)
    assert (figures.seen, figures.reordered, figures.lost, ledger.waiting(Side.LEGACY)) == (1, 0, 0, 0)


def test_faster_than_the_answer_of_the_database() -> None:
    """An event that is seen before its commit was acknowledged counts as seen, and from the moment it was due."""
    ledger = Ledger()
    ledger.saw(Side.SUPABASE, 1, 0.5)
    ledger.sent(1, 0.4, BOTH)
    figures = ledger.take(Side.SUPABASE)
    assert figures.latencies_ms == [pytest.approx(100)]
    assert (figures.seen, ledger.waiting(Side.SUPABASE)) == (1, 0)


def test_a_side_that_lets_nobody_in_is_a_failed_try() -> None:
    """Nothing was lost, for nothing could be measured; it counts as errors, in a row."""
    ledger = Ledger()
    for _ in range(6):
        ledger.unjoined(Side.SUPABASE)
    taken = sample(Side.SUPABASE, ledger.take(Side.SUPABASE))
    assert (taken.sent, taken.attempts, taken.errors, taken.consecutive_failures) == (0, 6, 6, 6)
