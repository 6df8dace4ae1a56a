"""Bridge and Realtime are killed in turn while somebody writes: what the clients of both sides lose, and wait for.

CROSSFADE_FAULTS=all kills five times each; the suite does it once each. Realtime stays away for so long as is said, and
its slot comes back SLOT_DELAY_S after that, as of the real server; clients come back as supabase-js does it, 1, 2, 5
and 10 s after each try that failed.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.acceptance.stack import Stack, open_place, running
from tests.faults import drills
from tests.faults.listened import Heard, Writer, listening, make_room, table, writing
from tests.waiting import wait_for

IS_ALL = os.environ.get("CROSSFADE_FAULTS") == "all"
AWAY_S = (1.0, 12.0, 3.0, 5.0, 8.0) if IS_ALL else (3.0,)
SLOT_DELAY_S = 4.0  # 3.3 to 5.3 s after HTTP answers
MESSAGES_PER_S = 40
LISTENERS, EACH = 2, 3
BACK_TIMEOUT_S = 60.0
CALM_S = 4.0  # between two kills, so that what each did can be told apart
WHOLE_TIMEOUT_S = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900 if IS_ALL else 180)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    name: str
    happen: Callable[[Stack], None]


def of_bridge() -> Kill:
    def happen(stack: Stack) -> None:
        pid = stack.pids["bridge"]
        os.kill(pid, signal.SIGKILL)
        stack.wait_for_new_pid("bridge", pid)

    return Kill(name="bridge", happen=happen)


def of_realtime(away_s: float) -> Kill:
    def happen(stack: Stack) -> None:
        gone_at = time.monotonic()
        with drills.dead(stack, "supabase"):
            wait_for(lambda: time.monotonic() - gone_at >= away_s, "its time away", away_s + 5)

    return Kill(name=f"Realtime, away for {away_s:.0f} s", happen=happen)


KILLS = [kill for away_s in AWAY_S for kill in (of_bridge(), of_realtime(away_s))]


@pytest.mark.parametrize("transport", ["http", "database"])
def test_kills_under_a_writer_lose_and_invert_nothing(transport: str) -> None:
    """Nobody misses a message or sees an older one after a newer one, on either side; how long each waited is shown."""
    environment = {
        "CHAT_REALTIME_PROVIDER": "dual",
        "CROSSFADE_SUPABASE_TRANSPORT": transport,
        "CROSSFADE_CANARY": "off",
    }
    slot = f"--slot-delay-s={SLOT_DELAY_S}"
    with open_place() as place, running(place / "data", slot, environment=environment) as stack:
        room = make_room(stack, listeners=LISTENERS, each=EACH)
        with listening(stack, room) as heard:
            with writing(stack, room, MESSAGES_PER_S) as writer:
                wait_for(lambda: heard.is_back(0, writer.written), "everybody to hear something")
                for kill in KILLS:
                    print("\n" + _under(kill, stack, heard, writer))  # noqa: T201
            with suppress(AssertionError):  # what is lost is counted below
                wait_for(lambda: heard.is_whole(writer.written), "what was written", WHOLE_TIMEOUT_S)
            rows = table(heard, writer.written)
    for row in rows:
        print(row)  # noqa: T201
    assert sum(row["inverted"] for row in rows) == 0
    assert sum(row["lost"] for row in rows) == 0


def _under(kill: Kill, stack: Stack, heard: Heard, writer: Writer) -> str:
    """Kill, wait until everybody hears what is new and some calm has passed, and say who waited how long."""
    killed_at, first = time.time(), len(writer.written)
    kill.happen(stack)
    over_at = time.time()
    wait_for(lambda: heard.is_back(over_at, writer.written), f"everybody to hear again: {kill.name}", BACK_TIMEOUT_S)
    back_at = time.time()
    wait_for(lambda: time.time() - back_at > CALM_S, "calm", CALM_S + 5)
    written = writer.written[max(0, first - MESSAGES_PER_S) :]
    missing = heard.missing([one for one in written if one.at < back_at])
    waits = ", ".join(
        f"{side} {heard.longest_wait_s((user, side), written):.1f} s ({len(missing[user, side])} missing)"
        for user, side in heard.clients
    )
    return f"{kill.name}: everybody hears again after {back_at - killed_at:.1f} s; longest waits: {waits}"
