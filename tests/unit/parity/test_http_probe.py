"""The probe of the HTTP path: an outage is known in seconds, a hiccup never is one, and a slow side is not down."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from realtime_bridge.parity.http_probe import INTERVAL_S, MAX_POSTS, SILENT, HttpProbe
from realtime_bridge.sinks.base import SinkUnavailable
from realtime_bridge.transports.base import Broadcast
from realtime_bridge.transports.fallback import FallbackTransport
from tests.unit.parity.test_fallback import CONNECTION, Path
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
        self.takes_s = 0.0  # for what is no probe
        self.hangs = False
        self.posts = 0
        self.under_way: list[tuple[float, dict[str, Any]]] = []

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None) -> None:
        assert connection is None
        if self.error:
            raise self.error
        probes = [one.payload for one in broadcasts if one.event == "probe"]
        answers_at = self._stage.now + (0.0 if probes else self.takes_s)
        self.posts += 1
        while self._stage.now < answers_at or self.hangs:  # noqa: ASYNC110 - the clock is the stage's own
            await asyncio.sleep(0)
        self.posts -= 1
        if self.delay_s is not None:
            self.under_way += [(self._stage.now + self.delay_s, payload) for payload in probes]

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
        self.fallback: FallbackTransport | None = None
        self.probe = HttpProbe(
            send=self.send,
            seats=self.seat,
            name="test",
            is_wanted=lambda: self.is_wanted,
            is_urgent=lambda: True,
            tell=self._tell,
            clock=lambda: self.now,
        )
        self.seat.take("", self.probe._receive)

    async def send(self, broadcasts: Sequence[Broadcast]) -> None:
        """Post to Supabase, past a fallback if there is one."""
        if self.fallback:
            await self.fallback.send_out_of_order(broadcasts)
        else:
            await self.supabase.send(broadcasts, None)

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


@staged
async def test_what_is_sent_again_is_no_outage(stage: Stage) -> None:
    """Thousands of broadcasts go to a slow HTTP before anything new; the probes measure the path and not that queue."""
    stage.supabase.takes_s = 0.5
    database = Path(transactional=True, max_batch=500)
    stage.fallback = FallbackTransport(database, stage.supabase, clock=lambda: stage.now)
    kept = [Broadcast(topic="t", event="message", payload={"n": n}, id=UUID(int=n)) for n in range(3_000)]
    await stage.fallback.send(kept, CONNECTION)
    stage.fallback.use_http(heard_until=0.0)
    newest = asyncio.create_task(stage.fallback.send(kept[:1], None))
    took_s = await stage.probe_for(120, newest.done)
    assert took_s > 30 * stage.supabase.takes_s, "the queue was long enough to be taken for an outage"
    assert (stage.fallback.waiting, stage.told) == (0, [])


@staged
async def test_posts_that_hang_do_not_pile_up(stage: Stage) -> None:
    """However long they hang, there are enough of them to know an outage, and no more."""
    stage.supabase.hangs = True
    await stage.probe_for(120)
    assert stage.knows_outage()
    assert stage.supabase.posts == MAX_POSTS
    stage.supabase.hangs = False
    await stage.probe_for(2)
    assert (stage.supabase.posts, stage.told[-1][0]) == (0, 0)


@pytest.mark.parametrize("is_taken", [True, False])
def test_a_side_that_is_unreachable_fails_with_and_without_a_seat(is_taken: bool) -> None:
    """An error says something also to who does not listen."""

    async def play(stage: Stage) -> None:
        stage.seat.is_taken = is_taken
        stage.supabase.error = SinkUnavailable("refused")
        await stage.probe_for(3)
        assert stage.knows_outage()

    asyncio.run(play(Stage()))
