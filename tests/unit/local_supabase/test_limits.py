"""Sizes and rates, counted as the real server counts them."""

from dataclasses import fields

import pytest

from ops.local_supabase.http import batch
from ops.local_supabase.http.batch import BatchError
from ops.local_supabase.settings import Limits, Plan, Settings
from ops.local_supabase.sockets.rates import RateCounter
from ops.local_supabase.wire import payload_size
from realtime_bridge.shared.environment import ConfigurationError


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (None, 6),
        (True, 6),
        (5, 3),
        (300, 6),
        (-1, 6),
        (2**40, 10),
        (1.5, 10),
        ("é", 8),
        ([], 2),
        ([1, 2], 11),
        ({}, 6),
        ({"a": "b"}, 18),
    ],
)
def test_a_payload_is_as_long_as_its_erlang_term(value: object, size: int) -> None:
    """Not as its JSON: the limit of 3,000 kB is counted in Erlang's external format."""
    assert payload_size.external_size(value) == size


def test_a_small_payload_is_never_counted() -> None:
    """The upper bound from the wire length is enough for it."""
    assert not payload_size.exceeds({"x": "y" * 100}, 110, 3000)
    assert payload_size.exceeds({"x": "y" * 3_100_000}, 3_100_008, 3000)
    assert not payload_size.exceeds({"x": "y" * 2_999_000}, 2_999_008, 3000)


def test_a_burst_passes_until_the_tick_and_is_forgotten_after_a_minute() -> None:
    """The average over up to twelve ticks of five seconds decides."""
    counter = RateCounter(5, 5.0)
    counter.add(300)
    assert not counter.over
    counter.tick()
    assert counter.over
    for _ in range(11):
        counter.tick()
    assert counter.over
    counter.tick()
    assert not counter.over


def test_a_flood_is_found_at_the_first_tick_however_long_nobody_was_there() -> None:
    """Silence before the first client does not count: free allows 100 a second, and 300 are over it after one tick."""
    counter = RateCounter(100, 5.0)
    for _ in range(720):  # an hour in which nobody came
        counter.tick()
    counter.begin()
    counter.add(1500)
    counter.tick()
    assert counter.over
    assert counter.average_per_s == 150  # the first look, when the counter began, had seen nothing yet


def test_a_counter_begins_anew_after_a_long_silence() -> None:
    """After ten minutes without anything it is as if nobody had been there."""
    counter = RateCounter(100, 5.0)
    counter.begin()
    for _ in range(119):
        counter.tick()
    counter.add(1500)
    counter.tick()
    assert counter.average_per_s == 25  # a minute of silence stands beside it
    for _ in range(132):
        counter.tick()
    counter.add(1500)
    counter.tick()
    assert counter.average_per_s == 150


def test_every_plan_has_limits_that_are_no_looser_than_unlimited() -> None:
    """A plan only ever lowers a limit."""
    unlimited = Limits.of_plan(Plan.UNLIMITED)
    for plan in Plan:
        limits = Limits.of_plan(plan)
        assert all(getattr(limits, one.name) <= getattr(unlimited, one.name) for one in fields(Limits))


@pytest.mark.parametrize("plan", ["gold", "0", "-1", "1.5", "200001", "", "٣"])
def test_what_is_no_plan_is_said(plan: str) -> None:
    """Names and whole numbers up to what is unlimited."""
    assert Limits.of_plan("100").max_events_per_second == 100
    with pytest.raises(ValueError, match="is no plan: say unlimited, free, pro, team, or a number"):
        Limits.of_plan(plan)


def test_a_short_secret_is_refused_with_its_variable() -> None:
    """HS256 asks for 32 bytes."""
    with pytest.raises(ConfigurationError, match="SUPABASE_JWT_SECRET"):
        Settings.from_environment({"SUPABASE_JWT_SECRET": "short"}, database_url="", host="", port=0)


def test_one_bad_message_rejects_the_batch_and_says_which() -> None:
    """The list of errors has one entry per message, empty for good ones."""
    with pytest.raises(BatchError) as refused:
        batch.read({"messages": [{"topic": "t", "event": "e", "payload": {}}, {"topic": " ", "payload": 1}]}, 3000)
    assert refused.value.errors == [
        {},
        {"topic": ["can't be blank"], "event": ["can't be blank"], "payload": ["is invalid"]},
    ]
