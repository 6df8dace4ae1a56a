"""The tally of a side: tries, failures, and the run of failures that an outage rule asks for."""

import asyncio

import pytest

from realtime_bridge.event_log.event import Event
from realtime_bridge.parity.tally import Tally
from realtime_bridge.relay import sink as relay_sink
from realtime_bridge.relay.sink import SinkNotReady, SinkUnavailable
from realtime_bridge.rollout.dial.stages import Side
from tests.fakes import RecordingSink
from tests.written import Written


@pytest.fixture
def events(written: Written) -> list[Event]:
    return [written.status(seq) for seq in range(1, 5)]


def deliver(sink: RecordingSink, events: list[Event], tally: Tally) -> None:
    asyncio.run(relay_sink.deliver(sink, events, tally))


@pytest.mark.parametrize("fault", ["refuses", "breaks_on"])
def test_it_counts_what_the_sink_does(events: list[Event], fault: str) -> None:
    """Delivered and refused events are tries; a refusal is a failed one, but no outage. So is what breaks the sink."""
    inner = RecordingSink()
    setattr(inner, fault, lambda one: one.seq == 2)
    tally = Tally(Side.LEGACY)
    deliver(inner, events, tally)
    taken = tally.take()
    assert (taken.side, taken.attempts, taken.errors, taken.consecutive_failures) == ("legacy", 4, 1, 1)
    assert tally.take().attempts == 0


def test_consecutive_failures_last_until_a_success(events: list[Event]) -> None:
    """Six failed calls in a row are six, also over several takes; one success ends the run."""
    inner = RecordingSink()
    inner.unavailable = SinkUnavailable("away")
    tally = Tally(Side.LEGACY)
    for expected in range(1, 7):
        with pytest.raises(SinkUnavailable):
            deliver(inner, events[:1], tally)
        taken = tally.take()
        assert (taken.attempts, taken.errors, taken.consecutive_failures) == (1, 1, expected)
    inner.unavailable = None
    deliver(inner, events, tally)
    assert tally.take().consecutive_failures == 0


def test_a_run_ends_when_somebody_else_delivered(events: list[Event]) -> None:
    """A bridge that takes over again does not go on counting where it stood."""
    inner = RecordingSink()
    inner.unavailable = SinkUnavailable("away")
    tally = Tally(Side.LEGACY)
    for _ in range(5):
        with pytest.raises(SinkUnavailable):
            deliver(inner, events[:1], tally)
    tally.take()
    tally.resumed()
    with pytest.raises(SinkUnavailable):
        deliver(inner, events[:1], tally)
    assert tally.take().consecutive_failures == 1


def test_a_run_does_not_outlast_a_time_without_feeding(events: list[Event]) -> None:
    """After a rollback a side is not tried; the first failure when it is fed again is the first of a new run."""
    now = 0.0
    inner = RecordingSink()
    inner.unavailable = SinkUnavailable("away")
    tally = Tally(Side.LEGACY, clock=lambda: now)
    runs = []
    for now in (1.0, 2.0, 62.0, 200.0):  # noqa: B007 - the clock reads it
        with pytest.raises(SinkUnavailable):
            deliver(inner, events[:1], tally)
        runs.append(tally.take().consecutive_failures)
    assert runs == [1, 2, 3, 1]


def test_waiting_for_listeners_is_no_failure(events: list[Event]) -> None:
    """A sink that asks for a moment's patience has not failed."""
    inner = RecordingSink()
    inner.unavailable = SinkNotReady("a moment")
    tally = Tally(Side.LEGACY)
    with pytest.raises(SinkNotReady):
        deliver(inner, events, tally)
    assert tally.take().attempts == 0
