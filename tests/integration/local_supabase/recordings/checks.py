"""Compares what comes back from the endpoint with what was recorded. Used by `replay.py`."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.integration.local_supabase.recordings import differences
from tests.integration.local_supabase.recordings.expectations import compare, shortest
from tests.integration.local_supabase.recordings.peers import Peer, Received
from tests.integration.local_supabase.recordings.placeholders import Values, matches
from tests.integration.local_supabase.recordings.scenarios import Step

FRAME_TIMEOUT_S = 8.0  # a frame that is not there by then does not come; the machine may be busy
SLICE_S = 0.15
SETTLE_S = 0.15  # how long "nothing arrives" is watched
SHORT_CHARACTERS = 600


@dataclass(slots=True)
class Outcome:
    """What a replay came to."""

    name: str
    compared: int = 0
    different: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


class Checks:
    """Of one replay: `peers` and `answers` are filled by it as it goes on, `outcome` is noted here."""

    def __init__(
        self, name: str, *, peers: Mapping[str, Peer], answers: dict[str, list[Any]], values: Values, outcome: Outcome
    ) -> None:
        self._name = name
        self._peers = peers
        self._answers = answers
        self._values = values
        self._outcome = outcome

    async def check(self, block: list[Step]) -> None:
        """Wait for what a run of received steps says; raises AssertionError at the first difference."""
        by_connection: dict[str, list[Step]] = defaultdict(list)
        for step in block:
            if step.kind in ("text", "binary", "close"):
                by_connection[step.connection].append(step)
        for label, expected in by_connection.items():
            await self._check_frames(label, expected)
        for step in block:
            if step.kind == "silence":
                await self.check_silence(step)
            elif step.kind not in ("text", "binary", "close", "control"):
                self._check_answer(step)

    async def _check_frames(self, label: str, expected: list[Step]) -> None:
        peer = self._peers[label]
        received: list[Received] = []
        for number in range(len(expected)):
            patience_s = FRAME_TIMEOUT_S if number < shortest(expected) else SETTLE_S
            frame = await _next_frame(peer, patience_s)
            if frame is None:
                break
            received.append(frame)
        assert compare(expected, received, self._values.bindings), self._explain(label, expected, received)
        self._outcome.compared += len(expected)

    def _check_answer(self, step: Step) -> None:
        waiting = self._answers[step.connection]
        assert waiting, f"{step.connection} at {step.at_ms}: nothing instead of {step.kind} {step.data}"
        actual = waiting.pop(0)
        expected = step.data
        difference = differences.find(self._name, step)
        if difference is not None:
            self._outcome.different.add(difference.reason)
            expected = difference.instead
        self._outcome.compared += 1
        right = _answers_match(expected, actual, self._values)
        assert right, f"{step.connection} at {step.at_ms}: expected {_short(expected)}, got {_short(actual)}"

    async def check_silence(self, step: Step) -> None:
        """Raise AssertionError when any connection got something more."""
        await asyncio.sleep(SETTLE_S)
        for label, peer in self._peers.items():
            if not peer.received.empty():
                extra = peer.received.get_nowait()
                raise AssertionError(f"{label} at {step.at_ms}: unexpected {_short(extra)}")

    def _explain(self, label: str, expected: list[Step], received: list[Received]) -> str:
        lines = [f"{label} at {expected[0].at_ms}: expected"]
        lines += [f"    {step.kind} {_short(step.data)}" for step in expected]
        lines += ["  received"]
        lines += [f"    {frame.kind} {_short(frame.content)} {frame.raw or ''}" for frame in received]
        return "\n".join(lines)


async def _next_frame(peer: Peer, patience_s: float) -> Received | None:
    """Wait in slices: a busy machine that holds up this whole process uses up one of them, not all."""
    for _ in range(max(1, int(patience_s / SLICE_S))):
        try:
            return await asyncio.wait_for(peer.received.get(), SLICE_S)
        except TimeoutError:
            continue
    return None


def _answers_match(expected: dict[str, Any], actual: dict[str, Any], values: Values) -> bool:
    if expected.get("status") is None:
        return matches(expected, actual, values.bindings)
    return (
        expected["status"] == actual["status"]
        and _headers_match(expected.get("headers", {}), actual["headers"], values)
        and _bodies_match(expected, actual, values)
    )


def _headers_match(expected: dict[str, str], actual: dict[str, str], values: Values) -> bool:
    return all(name in actual and matches(value, actual[name], values.bindings) for name, value in expected.items())


def _bodies_match(expected: dict[str, Any], actual: dict[str, Any], values: Values) -> bool:
    if "body_raw" in expected:
        return bool(actual["body"] == expected["body_raw"].encode())
    return "body" not in expected or matches(expected["body"], json.loads(actual["body"]), values.bindings)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < SHORT_CHARACTERS else text[:SHORT_CHARACTERS] + "…"
