"""When the dial goes on, waits or goes back."""

from typing import Any

import pytest

from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate import findings, latency
from realtime_bridge.rollout.gate.findings import Outcome
from realtime_bridge.rollout.gate.policy import HORIZON
from realtime_bridge.rollout.gate.slots import Sample
from realtime_bridge.rollout.gate.verdict import FailureRun, judge
from realtime_bridge.rollout.gate.windows import GateWindow
from tests.unit.rollout.gates import FAST, POLICY, new, sample, verdict, window


def test_three_good_windows_pass() -> None:
    """And not two."""
    assert verdict(new(), new()).outcome is Outcome.HOLD
    assert verdict(new(), new(), new()).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "values", [{"errors": 30}, {"slow": 60}, {"lost": 1}, {"reordered": 1}, {"errors": 500}, {"lost": 499}]
)
def test_too_few_samples_neither_pass_nor_fail(values: dict[str, int]) -> None:
    """499 samples decide nothing, whatever they say, nor does their half twice; the verdict names the shortage."""

    def measured(sent: int) -> GateWindow:
        return window(supabase=sample(Side.SUPABASE, sent, **{k: min(v, sent) for k, v in values.items()}))

    assert verdict(measured(249), measured(249)).outcome is Outcome.HOLD
    held = verdict(measured(499))
    assert held.outcome is Outcome.HOLD
    assert "0 of 3" in held.reasons[0] or "1 of 3" in held.reasons[0]
    assert any("499 samples" in reason for reason in held.reasons)


def test_few_samples_of_legacy_hold_too() -> None:
    """What cannot be compared does not pass."""
    lonely = window(legacy=sample(Side.LEGACY, 10))
    held = verdict(lonely, lonely, lonely)
    assert held.outcome is Outcome.HOLD
    assert any(reason.startswith("legacy") for reason in held.reasons)


def test_a_side_that_waits_is_given_nobody_more() -> None:
    """Over the project's rate, say: good windows do not pass, and the verdict says what for. An unfed side may wait."""
    runs = {Side.SUPABASE: FailureRun(waiting_for="The project takes 100 events a second.")}
    held = judge([new()] * 3, POLICY, failures_now=runs)
    assert held.outcome is Outcome.HOLD
    assert held.reasons == ("supabase is behind: The project takes 100 events a second.",)
    assert judge([new()] * 3, POLICY, failures_now=runs, sides={Side.LEGACY}).outcome is Outcome.PASS


@pytest.mark.parametrize("values", [{"lost": 1}, {"reordered": 1}])
def test_one_lost_or_reordered_event_turns_back_at_once(values: dict[str, int]) -> None:
    """Parity has no tolerance, and waits for no second window."""
    failed = verdict(new(), new(), new(**values))
    assert failed.outcome is Outcome.FAIL
    assert "events lost" in failed.reasons[0] or "out of order" in failed.reasons[0]


@pytest.mark.parametrize("values", [{"errors": 15}, {"slow": 50}])
def test_two_failed_windows_of_three_turn_back(values: dict[str, int]) -> None:
    """A single one does not."""
    assert verdict(new(), new(), new(**values)).outcome is Outcome.HOLD
    assert verdict(new(**values), new(), new(**values)).outcome is Outcome.FAIL


def test_a_violation_that_may_be_chance_holds() -> None:
    """Seven errors in 500 are more than 1 %, but a 1 % side has that one time in four."""
    doubtful = verdict(new(), new(), new(errors=7))
    assert doubtful.outcome is Outcome.HOLD
    assert any("error rate 1.40%" in reason for reason in doubtful.reasons)


def test_a_small_lasting_fault_is_found_by_all_windows_together() -> None:
    """1.6 % errors fail no window alone; half an hour of them does."""
    lasting = [new(errors=8) for _ in range(HORIZON)]
    assert verdict(*lasting[:1]).outcome is Outcome.HOLD
    failed = verdict(*lasting)
    assert failed.outcome is Outcome.FAIL
    assert "together" in failed.reasons[0]


def test_slower_than_legacy_turns_back_although_within_the_absolute_limit() -> None:
    """A p95 of 300 ms beside legacy's 20 ms is a regression users feel."""
    counts = latency.histogram([FAST] * 400 + [300.0] * 100)
    slower = window(supabase=Sample(side=Side.SUPABASE, sent=500, seen=500, attempts=500, latency_counts=counts))
    failed = verdict(slower, slower)
    assert failed.outcome is Outcome.FAIL
    assert any("beside legacy" in reason for reason in failed.reasons)


def test_more_errors_than_legacy_turn_back_although_below_the_absolute_limit() -> None:
    """0.95 % beside 0 % over many samples is no chance; beside 0.3 % it may be."""
    new_side = sample(Side.SUPABASE, 20_000, errors=190)
    worse = window(legacy=sample(Side.LEGACY, 20_000), supabase=new_side)
    failed = verdict(worse, worse)
    assert failed.outcome is Outcome.FAIL
    assert any("with legacy's" in reason for reason in failed.reasons)
    similar = window(legacy=sample(Side.LEGACY, 20_000, errors=60), supabase=new_side)
    assert verdict(similar, similar, similar).outcome is Outcome.PASS


@pytest.mark.parametrize("values", [{"errors": 30}, {"slow": 60}, {"lost": 1}, {"reordered": 1}])
def test_what_legacy_suffers_too_is_no_reason_to_go_back(values: dict[str, int]) -> None:
    """A shared cause holds: going back would move users to the side that fails as well."""
    shared = window(legacy=sample(Side.LEGACY, **values), supabase=sample(Side.SUPABASE, **values))
    held = verdict(shared, shared, shared)
    assert held.outcome is Outcome.HOLD
    assert any(reason.startswith("legacy: ") for reason in held.reasons)


def test_six_failures_in_a_row_are_an_outage_at_once() -> None:
    """No window is waited for, and the last failure is named; five are none; and without a way back it holds."""
    assert verdict(failures={Side.SUPABASE: 5}).outcome is Outcome.HOLD
    outage = verdict(failures={Side.SUPABASE: 6})
    assert (outage.outcome, outage.reasons[-1]) == (Outcome.FAIL, "The last: hung up")
    assert verdict(failures={Side.SUPABASE: 6, Side.LEGACY: 6}).outcome is Outcome.HOLD


def test_every_figure_that_decided_is_told() -> None:
    """The audit gets value, limit, samples and outcome of each criterion of each deciding window."""
    figures = verdict(new(errors=15), new(), new(errors=15)).figures()
    assert figures["outcome"] == "fail"
    assert [len(w["findings"]) for w in figures["windows"]] == [16, 16, 16]
    errors = [f for f in figures["windows"][-1]["findings"] if f["criterion"] == "errors" and f["side"] == "supabase"]
    assert errors == [
        {"side": "supabase", "criterion": "errors", "outcome": "fail", "value": 0.03, "limit": 0.01, "samples": 500}
    ]


def test_every_criterion_has_words() -> None:
    """No verdict lacks a sentence."""
    assert set(findings.WORDS) == set(findings.Criterion)


def measured(side: Side, **values: Any) -> Sample:
    """A minute's samples at ten a second, but for what `values` say."""
    healthy = {"sent": 600, "seen": 600, "attempts": 600, "rate_per_s": 10.0}
    return Sample(side=side, **{**healthy, "latency_counts": latency.histogram([FAST] * 600), **values})


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"latency_counts": latency.histogram([FAST] * 520)}, "13.33% of the samples are missing"),
        ({"lag_counts": latency.histogram([1.0] * 1_000 + [1_000.0] * 200)}, "the bridge itself is p95"),
        ({"delivered_counts": latency.histogram([FAST] * 70 + [1_400.0] * 30)}, "p95 of everybody's events"),
        ({"latency_counts": latency.histogram([FAST] * 450 + [1_300.0] * 150)}, "p95 1"),
    ],
)
def test_a_stall_of_both_sides_holds(values: dict[str, Any], word: str) -> None:
    """Legacy suffers as well, so going back helps nobody; going on is out of the question."""
    stalled = window(legacy=measured(Side.LEGACY, **values), supabase=measured(Side.SUPABASE, **values))
    healthy = window(legacy=measured(Side.LEGACY), supabase=measured(Side.SUPABASE))
    assert verdict(healthy, healthy, healthy).outcome is Outcome.PASS
    held = verdict(healthy, healthy, stalled)
    assert held.outcome is Outcome.HOLD
    assert any(word in reason for reason in held.reasons), held.reasons


def test_what_real_users_wait_for_on_supabase_alone_turns_back() -> None:
    """The canary may be fast while everybody's events are late: another conversation, another load."""
    late = measured(Side.SUPABASE, delivered_counts=latency.histogram([FAST] * 70 + [1_400.0] * 30))
    bad = window(legacy=measured(Side.LEGACY), supabase=late)
    assert verdict(bad, bad).outcome is Outcome.FAIL


def test_few_real_events_hold_nothing_up() -> None:
    """A quiet night passes, also with one slow event in it."""
    quiet = measured(Side.SUPABASE, delivered_counts=latency.histogram([FAST] * 3 + [1_400.0]))
    fine = window(legacy=measured(Side.LEGACY), supabase=quiet)
    assert verdict(fine, fine, fine).outcome is Outcome.PASS


def test_a_side_that_is_not_fed_is_not_asked() -> None:
    """At complete legacy has no samples, and Supabase alone decides."""
    alone = window(legacy=Sample(side=Side.LEGACY), supabase=measured(Side.SUPABASE))
    assert judge([alone] * 3, POLICY, failures_now={}, sides=[Side.SUPABASE]).outcome is Outcome.PASS
    assert verdict(alone, alone, alone).outcome is Outcome.HOLD
