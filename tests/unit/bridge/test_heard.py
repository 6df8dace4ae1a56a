"""Up to where listeners have heard: a mark that never passes what is unheard, and remembers two moments."""

from realtime_bridge.event_log.cursor import Cursor
from realtime_bridge.relay.heard import HeardMark


def at(high_water: int) -> Cursor:
    return Cursor(high_water=high_water)


def test_the_mark_follows_what_was_heard_and_never_passes_it() -> None:
    """A delivery counts as heard when something is heard that was sent after its commit."""
    mark = HeardMark(at(0))
    for moment in range(1, 101):
        mark.sent(at(moment), float(moment))
        mark.hear(moment - 10.5)
        assert mark.cursor.high_water <= max(0, moment - 11)
    assert mark.cursor.high_water > 70
    mark.hear(100.0)
    assert mark.cursor.high_water < 100, "sent at the very moment of its commit, a probe may have been before it"
    mark.hear(100.1)
    assert mark.cursor == at(100)


def test_after_going_back_only_what_is_sent_then_counts() -> None:
    """What was heard before says nothing of what is delivered again."""
    mark = HeardMark(at(0))
    mark.sent(at(5), 1.0)
    mark.follow(at(0))
    mark.hear(2.0)
    assert mark.cursor == at(0)
    mark.sent(at(5), 3.0)
    mark.hear(2.0)
    assert mark.cursor == at(0)
    mark.hear(4.0)
    assert mark.cursor == at(5)
