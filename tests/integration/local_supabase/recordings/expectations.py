"""Compares what one connection received with what was recorded, allowing the races the real server has itself."""

from collections.abc import Iterator
from typing import Any

from tests.integration.local_supabase.recordings.peers import Received
from tests.integration.local_supabase.recordings.placeholders import Bindings, matches
from tests.integration.local_supabase.recordings.scenarios import Step

_FANOUT = {"broadcast", "binary", "presence_diff", "postgres_changes", "INSERT", "UPDATE", "DELETE"}
_ENDINGS = {"system", "phx_close"}
TOPIC_V2, EVENT_V2, PAYLOAD_V2 = 2, 3, 4


def compare(expected: list[Step], received: list[Received], bindings: Bindings) -> bool:
    """Whether the frames are the recorded ones, in an order the real server could have had."""
    for variant in variants(expected):
        trial = dict(bindings)
        if _compare_in_order(variant, received, trial):
            bindings.update(trial)
            return True
    return False


def shortest(expected: list[Step]) -> int:
    """How many frames there are at least."""
    return min(len(variant) for variant in variants(expected))


def variants(expected: list[Step]) -> Iterator[list[Step]]:
    """The recorded frames, and what else the recordings' README allows."""
    yield expected
    if len(expected) > 1 and event_of(expected[0]) == "phx_error" and expected[-1].kind == "close":
        yield expected[1:]  # a channel may or may not say phx_error before the connection is closed with 1012
    without_repeats = _without_repeated_subscriptions(expected)
    if len(without_repeats) < len(expected):
        yield without_repeats
    without_old_state = _without_old_state(expected)
    if without_old_state is not None:
        yield without_old_state


def _without_repeated_subscriptions(expected: list[Step]) -> list[Step]:
    """The first "Subscribed to PostgreSQL" may be repeated."""
    kept: list[Step] = []
    for step in expected:
        repeated = event_of(step) == "system" and any(step.data == other.data for other in kept)
        if not repeated:
            kept.append(step)
    return kept


def _without_old_state(expected: list[Step]) -> list[Step] | None:
    """After a second join presence_state may still list the old entry (then its leave follows) or not."""
    state = next((step for step in expected if event_of(step) == "presence_state" and payload_of(step)), None)
    if state is None:
        return None
    keys = set(payload_of(state))
    leave = next((step for step in expected if _is_leave_of(step, keys)), None)
    if leave is None:
        return None
    left = set(payload_of(leave)["leaves"])
    rest = {key: value for key, value in payload_of(state).items() if key not in left}
    changed = Step(state.at_ms, state.connection, state.sent, state.kind, _with_payload(state.data, rest), None)
    return [changed if step is state else step for step in expected if step is not leave]


def _is_leave_of(step: Step, keys: set[str]) -> bool:
    if event_of(step) != "presence_diff":
        return False
    payload = payload_of(step)
    return not payload["joins"] and set(payload["leaves"]) <= keys


def _with_payload(data: Any, payload: Any) -> Any:
    return [*data[:PAYLOAD_V2], payload] if isinstance(data, list) else {**data, "payload": payload}


def _compare_in_order(expected: list[Step], received: list[Received], bindings: Bindings) -> bool:
    if len(expected) != len(received):
        return False
    waiting = list(expected)
    for frame in received:
        for position, step in enumerate(waiting):
            trial = dict(bindings)
            if _is(step, frame, trial):
                bindings.update(trial)
                del waiting[position]
                break
            if not all(
                _may_swap(step, other) for other in waiting[position + 1 :] if _is(other, frame, dict(bindings))
            ):
                return False
        else:
            return False
    return True


def _is(step: Step, frame: Received, bindings: Bindings) -> bool:
    if step.kind != frame.kind:
        return False
    if step.kind == "close":
        return bool(step.data["code"] == frame.content["code"] and step.data["reason"] == frame.content["reason"])
    if step.kind == "binary":
        return matches(step.data["decoded"], frame.content, bindings)
    if step.raw is not None:
        return frame.raw == step.raw
    return matches(step.data, frame.content, bindings)


def _may_swap(one: Step, other: Step) -> bool:
    """Racy on the real server: fan-out to, and endings of, different channels; an own diff and the reply to track."""
    events = {event_of(one), event_of(other)}
    if topic_of(one) != topic_of(other):
        return events <= _FANOUT or events <= _ENDINGS
    return events == {"presence_diff", "phx_reply"}


def topic_of(step: Step) -> Any:
    if step.kind == "binary":
        return step.data["decoded"]["topic"]
    if step.kind != "text" or step.data is None:
        return step.kind
    return step.data[TOPIC_V2] if isinstance(step.data, list) else step.data["topic"]


def event_of(step: Step) -> Any:
    if step.kind != "text" or step.data is None:
        return step.kind
    return step.data[EVENT_V2] if isinstance(step.data, list) else step.data["event"]


def payload_of(step: Step) -> Any:
    return step.data[PAYLOAD_V2] if isinstance(step.data, list) else step.data["payload"]
