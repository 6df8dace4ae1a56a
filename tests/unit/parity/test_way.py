"""The way to Supabase's clients: when to wait, when to go back, and how long clients are given to be there again."""

import pytest

from realtime_bridge.relay.sink import SinkNotReady
from realtime_bridge.supabase.probe.way import APART, AWAY, BACK, CHANGE_S, HOLD_S, KEEP_S, Way, settle_s


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def why(way: Way) -> str:
    """What is told to who wants to send; empty when it may."""
    try:
        way.check()
    except SinkNotReady as reason:
        return str(reason)
    return ""


def seated(clock: Clock, *, over_http: bool = False) -> Way:
    way = Way(over_http=over_http, has_seat=True, clock=clock)
    way.read_by(["slot:1"])
    way.sit(is_joined=True)
    return way


@pytest.mark.parametrize(
    ("away_s", "retry_s"), [(0.3, 0.7), (1.0, 0.0), (2.0, 1.0), (5.0, 3.0), (12.0, 6.0), (20.0, 8.0), (28.0, 0.0)]
)
def test_clients_are_given_time_until_their_next_retry(away_s: float, retry_s: float) -> None:
    """supabase-js tries again 1, 3, 8, 18, 28 s after a loss."""
    assert retry_s + 0.9 <= settle_s(away_s) <= retry_s + 1.1


@pytest.mark.parametrize("over_http", [False, True])
def test_while_the_seat_is_lost_events_wait_and_then_the_unheard_goes_first(clock: Clock, *, over_http: bool) -> None:
    """On both transports: nothing is sent before clients are back, and nothing new before what they missed."""
    way = seated(clock, over_http=over_http)
    way.hear(clock.now)
    heard = way.heard_until
    clock.now += 5
    way.sit(is_joined=False)
    clock.now += 12
    assert why(way) == APART
    assert not way.must_go_back
    way.sit(is_joined=True)
    way.hear(clock.now)
    assert (why(way), way.must_go_back, way.heard_until) == (BACK, False, heard)
    clock.now += settle_s(12) + 0.01
    assert way.must_go_back
    assert why(way)
    way.went_back()
    assert not why(way)
    way.hear(clock.now)
    assert way.heard_until == clock.now


def test_who_reads_anew_has_missed_what_was_written(clock: Clock) -> None:
    """The same slot with the same reader has heard all; another one is a reason to go back, and none to hold."""
    way = seated(clock)
    way.read_by(["slot:1", "slot:2"])
    way.read_by(["slot:1"])
    assert not way.must_go_back
    way.read_by([])
    assert why(way) == AWAY
    way.read_by(["slot:3"])
    assert way.must_go_back


def test_holding_back_ends(clock: Clock) -> None:
    """What waited for a quarter of an hour is history, and is fetched."""
    way = seated(clock)
    way.read_by([])
    assert why(way) == AWAY
    clock.now += HOLD_S + 1
    assert not why(way)


def test_a_seat_that_comes_and_goes_holds_nothing_for_ever(clock: Clock) -> None:
    """Each return asks for a moment; together they are an outage, and that has an end."""
    way = seated(clock)
    began = clock.now
    while clock.now - began < HOLD_S + 5:
        way.sit(is_joined=False)
        clock.now += 0.4
        assert why(way) or clock.now - began > HOLD_S
        way.sit(is_joined=True)
        clock.now += 0.4
    assert way.must_go_back
    way.went_back()
    assert not why(way)


def test_a_successor_repeats_only_what_others_read(clock: Clock) -> None:
    """Over the database the same readers have heard all that was committed; of posts nobody knows."""
    way = Way(clock=clock)
    way.take_over(["slot:1"], has_unheard=True)
    way.read_by(["slot:1"])
    assert not way.must_go_back
    way.take_over(["slot:1"], has_unheard=True)
    way.read_by(["slot:2"])
    clock.now += 60
    assert way.must_go_back
    http = Way(over_http=True, clock=clock)
    http.take_over([], has_unheard=True)
    clock.now += 60
    assert http.must_go_back
    http.take_over([], has_unheard=False)
    assert not http.must_go_back


def test_without_a_seat_silence_is_believed_after_a_while(clock: Clock) -> None:
    """Nobody can say what was heard: what is older than a slot's return is not sent again."""
    way = Way(clock=clock)
    clock.now += 1_000
    assert way.heard_until == clock.now - KEEP_S


def test_a_change_of_paths_sends_again_and_lets_posts_be_heard(clock: Clock) -> None:
    """To HTTP: what the database sent unheard goes first. Back: what HTTP took is heard first."""
    way = seated(clock)
    way.use_http()
    assert way.must_go_back
    way.went_back()
    way.use_database()
    assert why(way)
    clock.now += CHANGE_S
    assert not why(way)
