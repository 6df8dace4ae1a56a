"""Schedule, outcomes, verdicts and the health of an endpoint: pure rules."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_bridge.webhooks.contract import health, outcomes
from realtime_bridge.webhooks.contract.health import Condition, Health, NoticeType, Result
from realtime_bridge.webhooks.contract.outcomes import (
    Lane,
    Outcome,
    delay_after,
    judge,
    lane_after,
    outcome_of_status,
    wish_of,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FRESH = Condition(health=Health.HEALTHY)


def fail(
    condition: Condition, at: datetime, outcome: Outcome = Outcome.SERVER_ERROR, **result: Any
) -> tuple[Condition, list[NoticeType]]:
    after, notices = health.after(condition, Result(outcome=outcome, started_at=at, **result), at)
    return after, [notice.type for notice in notices]


@pytest.mark.parametrize("attempts", range(1, 10))
@given(seed=st.integers())
def test_a_delay_is_the_schedules_within_a_fifth(attempts: int, seed: int) -> None:
    """±20 %, and a receiver's wish only makes it longer, up to a day."""
    planned = outcomes.RETRY_DELAYS_S[attempts - 1]
    delay = delay_after(attempts, 0.0, random.Random(seed))
    assert delay is not None
    assert planned * 0.8 <= delay <= planned * 1.2
    longer = delay_after(attempts, planned * 2, random.Random(seed))
    assert longer is not None
    assert longer >= min(planned * 2, outcomes.LONGEST_WISH_S)
    assert longer <= max(outcomes.LONGEST_WISH_S, planned * 1.2)


def test_the_tenth_attempt_is_the_last() -> None:
    """75 hours and 35 minutes after the first, give or take the jitter."""
    assert delay_after(10, 0.0, random.Random(1)) is None
    assert sum(outcomes.RETRY_DELAYS_S) == pytest.approx(75 * 3600 + 35 * 60 + 5)


def test_late_retries_wait_in_a_lane_of_their_own() -> None:
    """The first attempt and the retry after 5 s are early."""
    assert [lane_after(attempts) for attempts in range(4)] == [Lane.EARLY, Lane.EARLY, Lane.LATE, Lane.LATE]


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_has_its_outcome(status: int) -> None:
    """By the table in outcomes.py."""
    expected = {410: "gone", 429: "rate_limited", 502: "overloaded", 503: "overloaded", 504: "overloaded"}.get(
        status, {1: "redirect", 2: "delivered", 3: "redirect", 4: "client_error", 5: "server_error"}[status // 100]
    )
    assert outcome_of_status(status) == expected


@pytest.mark.parametrize(
    ("text", "wish_s"),
    [
        (None, 0),
        ("", 0),
        ("120", 120),
        (" 7 ", 7),
        ("-5", 0),
        ("1.5", 0),
        ("٣", 0),
        ("9" * 400, float("inf")),
        ("soon", 0),
        ("Fri, 20 Nov 2026 12:01:00 GMT", 60),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0),
        ("Fri, 99 Nov 2026 11:00:00 GMT", 0),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str | None, wish_s: float) -> None:
    """Seconds or a date; nonsense is no wish."""
    assert wish_of(text, NOW.timestamp()) == wish_s


def test_the_table_of_outcomes_is_complete() -> None:
    """Every outcome has its line in the module's text."""
    lines = (outcomes.__doc__ or "").splitlines()
    assert {line.split()[0] for line in lines if line and line[0].islower()} >= set(Outcome)


@pytest.mark.parametrize(
    ("outcome", "attempts", "replay", "state", "counted"),
    [
        (Outcome.DELIVERED, 0, False, "delivered", 1),
        (Outcome.SERVER_ERROR, 0, False, "open", 1),
        (Outcome.SERVER_ERROR, 9, False, "failed", 1),
        (Outcome.SERVER_ERROR, 0, True, "failed", 1),
        (Outcome.GONE, 0, False, "failed", 1),
        (Outcome.EXPIRED, 0, False, "failed", 1),
        (Outcome.SECRET_UNAVAILABLE, 9, False, "open", 0),
        (Outcome.ADDRESS_REFUSED, 0, False, "open", 1),
    ],
)
def test_a_verdict_for_each_outcome(outcome: Outcome, attempts: int, replay: bool, state: str, counted: int) -> None:
    """Delivered, open again, or failed for good."""
    verdict = judge(outcome, attempts=attempts, replay=replay, wish_s=0.0, jitter=random.Random(1))
    assert (verdict.state, verdict.counted) == (state, counted)


def test_retry_after_counts_only_with_the_statuses_that_mean_it() -> None:
    """A 404 that asks for an hour is tried on schedule; a 503 is not tried before."""
    late = judge(Outcome.OVERLOADED, attempts=0, replay=False, wish_s=3600, jitter=random.Random(1))
    soon = judge(Outcome.CLIENT_ERROR, attempts=0, replay=False, wish_s=3600, jitter=random.Random(1))
    assert late.delay_s >= 3600
    assert soon.delay_s < 10


def test_five_failures_in_a_row_degrade_and_one_success_heals() -> None:
    """With a notice each, once."""
    condition, told = FRESH, []
    for number in range(8):
        condition, notices = fail(condition, NOW + timedelta(minutes=number))
        told += notices
    assert condition.health is Health.DEGRADED
    assert told == [NoticeType.DEGRADED]
    condition, notices = fail(condition, NOW + timedelta(hours=1), Outcome.DELIVERED)
    assert (condition.health, condition.consecutive_failures, condition.failing_since) == (Health.HEALTHY, 0, None)
    assert notices == [NoticeType.RECOVERED]


def test_attempts_that_failed_side_by_side_are_one_failure() -> None:
    """Ten requests under way when a receiver dies are no ten failures in a row."""
    condition = FRESH
    for _ in range(10):
        result = Result(outcome=Outcome.TIMEOUT, started_at=NOW)
        condition, _ = health.after(condition, result, NOW + timedelta(seconds=15))
    assert condition.consecutive_failures == 1


def test_days_of_failure_warn_twice_and_then_disable() -> None:
    """After one day, three days, and five."""
    condition, told = FRESH, []
    for hour in range(0, 130, 2):
        condition, notices = fail(condition, NOW + timedelta(hours=hour))
        told += [(hour, notice) for notice in notices]
    assert told == [
        (8, NoticeType.DEGRADED),
        (24, NoticeType.FAILING),
        (72, NoticeType.FAILING),
        (120, NoticeType.DISABLED),
    ]
    assert condition.health is Health.DISABLED


def test_sporadic_failures_never_disable() -> None:
    """One success in five days is enough."""
    condition = FRESH
    for hour in range(0, 24 * 20, 4):
        outcome = Outcome.DELIVERED if hour % 48 == 0 else Outcome.SERVER_ERROR
        condition, _ = fail(condition, NOW + timedelta(hours=hour), outcome)
    assert condition.health is not Health.DISABLED


def test_gone_disables_at_once_and_nothing_wakes_it_but_its_owner() -> None:
    """Late results of a disabled endpoint change nothing."""
    condition, notices = fail(FRESH, NOW, Outcome.GONE)
    assert (condition.health, notices) == (Health.DISABLED, [NoticeType.DISABLED])
    assert fail(condition, NOW, Outcome.DELIVERED) == (condition, [])


def test_an_endpoint_rests_when_it_asks_or_is_overloaded() -> None:
    """Retry-After is kept; without one the rests double up to five minutes; a 404 alone is no reason to rest."""
    asked, _ = fail(FRESH, NOW, Outcome.RATE_LIMITED, wish_s=90.0)
    assert asked.not_before == NOW + timedelta(seconds=90)
    assert fail(FRESH, NOW, Outcome.CLIENT_ERROR, wish_s=90.0)[0].not_before is None
    condition, rests = FRESH, []
    for number in range(12):
        at = NOW + timedelta(hours=number)
        condition, _ = fail(condition, at, Outcome.TIMEOUT)
        assert condition.not_before is not None
        rests.append((condition.not_before - at).total_seconds())
    assert rests[:4] == [1, 2, 4, 8]
    assert rests[-1] == health.LONGEST_REST_S


@given(st.lists(st.tuples(st.sampled_from(Outcome), st.integers(0, 90_000), st.floats(0, 1e12)), max_size=60))
def test_the_machine_never_leaves_its_states(steps: list[tuple[Outcome, int, float]]) -> None:
    """Whatever happens: rests are bounded, healthy means below five, and disabled stays."""
    condition, now = FRESH, NOW
    for outcome, gap_s, wish_s in steps:
        now += timedelta(seconds=gap_s)
        before = condition
        condition, _ = health.after(condition, Result(outcome=outcome, started_at=now, wish_s=wish_s), now)
        if before.health is Health.DISABLED:
            assert condition == before
        if condition.health is Health.HEALTHY:
            assert condition.consecutive_failures < health.DEGRADED_AFTER
        if condition.not_before:
            assert condition.not_before <= now + timedelta(days=1)
