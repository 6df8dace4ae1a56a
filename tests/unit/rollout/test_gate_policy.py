"""What makes a window, and a policy."""

from datetime import timedelta
from typing import Any

import pytest

from realtime_bridge.rollout.dial.errors import RolloutError
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate.findings import Outcome
from realtime_bridge.rollout.gate.policy import Policy
from realtime_bridge.rollout.gate.slots import SLOT_S, Sample, Window
from realtime_bridge.rollout.gate.windows import cut
from tests.unit.rollout.gates import POLICY, START, sample, verdict


def slot(side: Side, number: int, sent: int) -> Window:
    values = {name: getattr(sample(side, sent), name) for name in Sample.__slots__}
    return Window(window_start=START + timedelta(seconds=number * SLOT_S), **values)


def test_a_window_grows_until_it_has_enough_samples_on_both_sides() -> None:
    """A minute with traffic is a window; without, it is longer, up to the maximum, and then holds."""
    busy = [slot(side, n, 100) for n in range(24) for side in Side]
    closed, rest = cut(busy, POLICY, started_at=START, first_number=4)
    assert [(w.number, w.sides[Side.SUPABASE].sent) for w in closed] == [(4, 1200), (5, 1200)]
    assert closed[0].ended_at == closed[1].started_at == START + timedelta(seconds=60)
    assert rest is None
    quiet = [slot(side, n, 10) for n in range(60) for side in Side]
    closed, rest = cut(quiet, POLICY, started_at=START, first_number=1)
    assert [w.ended_at - w.started_at for w in closed] == [timedelta(seconds=250)]
    silent = [slot(Side.LEGACY, n, 100) for n in range(181)]
    closed, rest = cut(silent, POLICY, started_at=START, first_number=1)
    assert [w.ended_at - w.started_at for w in closed] == [timedelta(seconds=900)]
    assert rest is not None
    assert verdict(*closed).outcome is Outcome.HOLD


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"colour": 1}, "'colour'"),
        ({"window_s": "long"}, "window_s"),
        ({"window_s": 0}, "window_s"),
        ({"window_s": 2}, "5 s"),
        ({"p95_ms": 501}, "bound"),
        ({"fail_windows": 4}, "of_windows"),
        ({"error_percent": 100}, "error_percent"),
    ],
)
def test_a_senseless_policy_is_refused(changes: dict[str, Any], word: str) -> None:
    """The sentence names the setting."""
    with pytest.raises(RolloutError, match=word):
        Policy.of(changes)


def test_a_policy_is_stored_as_what_differs() -> None:
    """Later defaults reach whoever changed nothing."""
    assert Policy.of({"window_s": "30", "error_percent": 2}).changes() == {"window_s": 30, "error_percent": 2.0}
    assert Policy.of({}).changes() == {}
