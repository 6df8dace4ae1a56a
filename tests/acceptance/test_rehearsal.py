"""The whole migration, rehearsed: nobody misses a message while the dial goes up, back to 0, and up to complete.

CROSSFADE_REHEARSAL_USERS=200 runs it at full size, with a kill of the bridge at every stage.
"""

import json
import os
import time
from pathlib import Path

import pytest

from tests.acceptance import rehearsal
from tests.acceptance.stack import running
from tests.waiting import wait_for

USERS = int(os.environ.get("CROSSFADE_REHEARSAL_USERS", "16"))
IS_FULL = USERS >= 200
STAGES = ("shadow", "10", "25", "50", "rollback", "shadow", "10", "25", "50", "75", "100", "complete")
KILLED_AT = frozenset(range(len(STAGES))) if IS_FULL else frozenset({2, 4, 9, 11})  # 25 %, the rollback, 75 %, complete
HOLD_S = 15.0 if IS_FULL else 0.4  # `up` gives up on what dies five times within a minute
PACE_MS = 4_000 if IS_FULL else 400  # each user's mean pause between two messages

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900 if IS_FULL else 180)]


def test_nobody_misses_a_message_while_the_dial_turns(tmp_path: Path) -> None:
    """Seen = sent for every user, in order, none twice after dedupe: through every stage, a rollback and kills."""
    started = time.monotonic()
    with running(tmp_path / "data", environment={"CHAT_REALTIME_PROVIDER": "rollout"}) as stack:
        users = rehearsal.invite(stack, USERS)
        assert users.crossing >= USERS // 2 - 1
        with rehearsal.gathered(stack, users, pace_ms=PACE_MS) as crowds:
            for number, stage in enumerate(STAGES):
                rehearsal.turn(stack, stage)
                _hold(crowds, HOLD_S / 2)
                if number in KILLED_AT:
                    rehearsal.kill_bridge(stack)
                _hold(crowds, HOLD_S / 2)
            crowds.hush()
            wait_for(lambda: crowds.missing() == 0, "everything sent to be seen", rehearsal.DELIVERY_TIMEOUT_S)
            rehearsal.print_ledger(crowds, STAGES, len(KILLED_AT), started)
            rehearsal.check(crowds)
        audit = json.loads(stack.crossfade("rollout", "audit", "--json").stdout)
        assert [entry["action"] for entry in audit if "gate" in entry["action"]] == [], "no gate was tripped by a kill"


def _hold(crowds: rehearsal.Crowds, seconds: float) -> None:
    """Let the chat go on: the stage lasts until so many seconds have passed and everybody talks."""
    end = time.monotonic() + seconds
    before = len(crowds.read() and crowds.of("sent"))
    wait_for(lambda: time.monotonic() >= end, "the stage's time", seconds + 5)
    wait_for(lambda: crowds.read() and len(crowds.of("sent")) > before, "the chat to go on", 60)
