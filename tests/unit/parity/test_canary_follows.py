"""The canary keeps up with the dial, also while it has nothing to send."""

import asyncio
import time

from realtime_bridge.parity.canary import Canary
from realtime_bridge.parity.ledger import Ledger
from realtime_bridge.parity.ticks import Schedule
from realtime_bridge.rollout.dial.stages import Side


def test_a_short_stop_at_off_excuses_what_was_on_its_way() -> None:
    """Turned back and up again within a minute: what was sent into the outage is not a loss of the new ramp."""
    fed, ledger = set(Side), Ledger()

    def rate_per_s() -> float:
        return 20.0 if fed else 1 / 60

    canary = Canary(
        database_url="postgresql://nobody@127.0.0.1:1/none",
        ears=lambda _conversation, _hear: [],
        feeds=lambda: fed,
        rate_per_s=rate_per_s,
        ledger=ledger,
    )

    async def play() -> None:
        canary._follow_dial()
        ledger.sent(1, time.monotonic(), [Side.SUPABASE])
        fed.clear()
        waiting = asyncio.create_task(canary._wait_for_tick(Schedule(rate_per_s)))
        await asyncio.sleep(0)
        fed.update(Side)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(play())
    assert ledger.waiting(Side.SUPABASE) == 0
