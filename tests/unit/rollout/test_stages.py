"""The ladder: what is a step, what is a leap, and what a plan may do."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from realtime_bridge.rollout import plan as schedule
from realtime_bridge.rollout.dial import follower as dial
from realtime_bridge.rollout.dial import stages
from realtime_bridge.rollout.dial.errors import RolloutError
from realtime_bridge.rollout.dial.stages import COMPLETE, LADDER, OFF, SHADOW, Side, ramp

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("stage", [*LADDER, ramp(0.01), ramp(12.5)])
def test_a_label_reads_back(stage: stages.Stage) -> None:
    """What `status` prints is what `set` takes."""
    assert stages.parse(stage.label) == stage


@pytest.mark.parametrize("text", ["", "on", "0", "101", "-1", "ramp", "1e1", "10.001", "NaN", "٣"])
def test_what_is_no_stage_is_refused(text: str) -> None:
    """The sentence lists what there is."""
    with pytest.raises(RolloutError, match="off, shadow, complete"):
        stages.parse(text)


def test_who_is_fed_at_which_stage() -> None:
    """Legacy until complete, Supabase from shadow on."""
    assert {stage.label: stage.feeds for stage in LADDER} == {
        "off": {Side.LEGACY},
        **{f"ramp {p}": set(Side) for p in (10, 25, 50, 75, 100)},
        "shadow": set(Side),
        "complete": {Side.SUPABASE},
    }


def test_forward_is_one_rung_at_a_time() -> None:
    """A leap is refused and the rung that it skips is named; a finer step is fine; back is free."""
    for lower, higher in pairwise(LADDER):
        stages.check_change(lower, higher)
        stages.check_change(higher, lower)
    stages.check_change(SHADOW, ramp(0.5))
    stages.check_change(ramp(25), ramp(40))
    stages.check_change(COMPLETE, OFF)
    for current, wanted, skipped in (
        (OFF, ramp(10), "shadow"),
        (SHADOW, COMPLETE, "ramp 10"),
        (ramp(10), ramp(26), "ramp 25"),
    ):
        with pytest.raises(RolloutError, match=f"skips {skipped}"):
            stages.check_change(current, wanted)
    with pytest.raises(RolloutError, match="already"):
        stages.check_change(OFF, OFF)


def test_a_plan_reads_as_it_is_written() -> None:
    """Times may be left out at a step that only waits for its gate."""
    plan = schedule.parse(["10:30m", "25:1h", "50:4h", "75:12h", "100", "complete"])
    assert [step.hold_s for step in plan] == [1_800, 3_600, 14_400, 43_200, 0, 0]
    assert [step.stage for step in plan] == [*LADDER[2:]]
    schedule.check(plan, SHADOW)


@pytest.mark.parametrize("words", ["", "10:", "10:30", "10:0m", "10:31d", "10:5w", "ten:5m", "10:-5m"])
def test_an_unreadable_plan_is_refused(words: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(RolloutError, match=r"A plan has|write the time|is not a stage"):
        schedule.parse(words.split())


@pytest.mark.parametrize(
    ("words", "reason"), [("25:1h", "skips ramp 10"), ("10:1h 50", "skips"), ("10 10", "forward"), ("off", "forward")]
)
def test_a_plan_neither_skips_nor_turns_back(words: str, reason: str) -> None:
    """It is refused when it is written, not in the night when it comes to that step."""
    with pytest.raises(RolloutError, match=reason):
        schedule.check(schedule.parse(words.split()), SHADOW)


def test_a_plan_knows_what_follows_and_when() -> None:
    """The step after the stage, the hold of the stage itself; a stage that is not in the plan has none."""
    plan = schedule.parse(["10:30m", "25:1h"])
    assert schedule.following(plan, SHADOW) == plan[0]
    assert schedule.following(plan, ramp(10)) == plan[1]
    assert schedule.following(plan, ramp(25)) is None
    assert schedule.holds_until(plan, ramp(10), SINCE) == SINCE + timedelta(minutes=30)
    assert schedule.holds_until(plan, SHADOW, SINCE) == SINCE


def test_a_lost_notification_does_not_break_the_promise() -> None:
    """Every process follows within a second: two polls fit into it."""
    assert 2 * dial.POLL_S < 1.0
