"""The probe of the HTTP path: an outage is known in seconds, a hiccup never is one, and a slow side is not down."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from psycopg import AsyncConnection

from realtime_bridge.parity.http_probe import INTERVAL_S, SILENT, HttpProbe
from realtime_bridge.sinks.base import SinkUnavailable
from realtime_bridge.transports.base import Broadcast
from tests.unit.parity.test_probe import Seat

OUTAGE = 6  # one more than a gate allows


class Supabase:
    """A transport and what becomes of it: `delay_s` None is never heard, `error` is refused at once."""

    transactional = False
    max_batch = 100

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self.delay_s: float | None = 0.05
        self.error: SinkUnavailable | None = None
        self.under_way: list[tuple[float, dict[str, Any]]] = []

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None) -> None:
        assert connection is None
        if self.error:
            raise self.error
        if self.delay_s is not None:
            self.under_way += [(self._stage.now + self.delay_s, one.payload) for one in broadcasts]

    async def close(self) -> None: ...

    def deliver(self) -> None:
        """Hand over what has arrived by now."""
        arrived = [payload for at, payload in self.under_way if at <= self._stage.now]
        self.under_way = [(at, payload) for at, payload in self.under_way if at > self._stage.now]
        for payload in arrived:
            self._stage.seat.receive("probe", payload)


class Stage:
    def __init__(self) -> None:
        self.now = 0.0
        self.is_wanted = True
        self.told: list[tuple[int, str]] = []
        self.seat = Seat()
        self.supabase = Supabase(self)
        self.probe = HttpProbe(
            transport=self.supabase,
            seats=self.seat,
            name="test",
            is_wanted=lambda: self.is_wanted,
            is_urgent=lambda: True,
            tell=self._tell,
            clock=lambda: self.now,
        )
        self.seat.take("", self.probe._receive)

    async def _tell(self, count: int, reason: str) -> None:
        self.told.append((count, reason))

    async def probe_for(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float:
        """Probe for so long, or until something is so; return how long it took."""
        began = self.now
        while self.now - began < seconds and not until():
            self.now += INTERVAL_S
            self.supabase.deliver()
            await self.probe.run_once()
            await asyncio.sleep(0)  # the posts under way
        return self.now - began

    def knows_outage(self) -> bool:
        return bool(self.told) and self.told[-1][0] >= OUTAGE


def staged(play: Callable[[Stage], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(play(Stage()))

    run.__doc__ = play.__doc__
    return run


@staged
async def test_an_error_is_an_outage_within_two_and_a_half_seconds(stage: Stage) -> None:
    """Six answers of 500 or 429, and the reason is told; after one that is heard the run is over."""
    await stage.probe_for(10)
    assert stage.told == []
    stage.supabase.error = SinkUnavailable("Supabase answered 500")
    assert await stage.probe_for(10, stage.knows_outage) <= 2.5
    assert stage.told[-1] == (OUTAGE, "Supabase answered 500")
    stage.supabase.error = None
    await stage.probe_for(1)
    assert stage.told[-1][0] == 0


@staged
async def test_silence_is_an_outage_within_four_seconds(stage: Stage) -> None:
    """Accepted and dropped, or hanging: what is not heard in time has failed."""
    await stage.probe_for(10)
    stage.supabase.delay_s = None
    assert await stage.probe_for(10, stage.knows_outage) <= 4
    assert stage.told[-1][1] == SILENT


@staged
async def test_a_hiccup_and_a_slow_side_are_no_outage(stage: Stage) -> None:
    """A second of errors, and minutes of two seconds' latency."""
    await stage.probe_for(10)
    stage.supabase.error = SinkUnavailable("restarting")
    await stage.probe_for(1)
    stage.supabase.error = None
    await stage.probe_for(1)
    assert stage.told[-1][0] == 0
    stage.supabase.delay_s = 2.0
    await stage.probe_for(120)
    assert max(count for count, _ in stage.told) < OUTAGE


@staged
async def test_who_does_not_listen_cannot_call_others_silent(stage: Stage) -> None:
    """Neither without a seat, nor after this process itself was away, nor while it delivers in another way."""
    stage.supabase.delay_s = None
    stage.seat.is_taken = False
    await stage.probe_for(20)
    stage.seat.is_taken = True
    for _ in range(20):
        await stage.probe_for(1)
        stage.now += 30
    stage.is_wanted = False
    await stage.probe_for(20)
    assert stage.told == []


@pytest.mark.parametrize("is_taken", [True, False])
def test_a_side_that_is_unreachable_fails_with_and_without_a_seat(is_taken: bool) -> None:
    """An error says something also to who does not listen."""

    async def play(stage: Stage) -> None:
        stage.seat.is_taken = is_taken
        stage.supabase.error = SinkUnavailable("refused")
        await stage.probe_for(3)
        assert stage.knows_outage()

    asyncio.run(play(Stage()))
