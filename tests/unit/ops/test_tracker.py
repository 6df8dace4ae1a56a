"""The demo's verdict."""

from ops.demo.tracker import SideName, Tracker

BOTH = (SideName.SUPABASE, SideName.SOCKETIO)


def arrive(tracker: Tracker, side: SideName, number: int, now: float = 10.0) -> None:
    tracker.note_arrival(side, event_id=f"e{number}", seq=number, content="hi", created_at=9.0, now=now)


def sent(count: int) -> Tracker:
    tracker = Tracker()
    for number in range(1, count + 1):
        tracker.note_sent(f"e{number}", number, at=9.5)
    return tracker


def test_everything_on_both_sides_in_order_is_well() -> None:
    """Nothing to complain about when both sides showed all of it."""
    tracker = sent(3)
    for side in BOTH:
        for number in (1, 2, 3):
            arrive(tracker, side, number)
    assert tracker.is_complete()
    assert tracker.complaint() is None
    assert tracker.summary(SideName.SUPABASE).p50_ms == 500.0


def test_a_missing_message_is_named() -> None:
    """The sentence says which side missed which seq."""
    tracker = sent(2)
    arrive(tracker, SideName.SUPABASE, 1)
    arrive(tracker, SideName.SUPABASE, 2)
    arrive(tracker, SideName.SOCKETIO, 1)
    assert tracker.complaint() == "socketio did not show 1 of 2 messages (seq 2)."


def test_a_wrong_order_is_a_complaint() -> None:
    """Order is part of the promise."""
    tracker = sent(2)
    for side in BOTH:
        arrive(tracker, side, 2)
        arrive(tracker, side, 1)
    assert tracker.complaint() == "supabase showed messages out of order."


def test_a_repeat_is_counted_and_forgiven() -> None:
    """At least once: a repeat with the same eventId is no fault."""
    tracker = sent(2)
    for side in BOTH:
        for number in (1, 2, 1):
            arrive(tracker, side, number)
    assert tracker.complaint() is None
    assert tracker.summary(SideName.SOCKETIO).repeats == 1


def test_somebody_elses_message_counts_from_its_creation() -> None:
    """What we did not send has only its own time."""
    tracker = Tracker()
    arrive(tracker, SideName.SUPABASE, 7)
    assert tracker.arrivals[0].latency_s == 1.0
