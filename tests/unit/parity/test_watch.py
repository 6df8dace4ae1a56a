"""The watch: a silent path is left for the other, an outage of both is told in seconds, and a hiccup never is one."""

import asyncio
from collections.abc import Callable

import pytest

from realtime_bridge.relay.sink import SinkUnavailable
from realtime_bridge.supabase.probe.path import MAX_POSTS, SILENT, PathProbe
from realtime_bridge.supabase.probe.seat_watch import REASON
from realtime_bridge.supabase.probe.watch import HEALTHY_AFTER_S, TICK_S
from tests.unit.parity.stage import OUTAGE, Fate, Stage, staged


@pytest.mark.parametrize("has_database", [True, False], ids=["database", "http"])
@pytest.mark.parametrize(("fails", "within_s"), [(Stage.dies, 2.5), (Stage.freezes, 3.8)])
def test_an_outage_is_told_within_four_seconds(
    has_database: bool, fails: Callable[[Stage], None], within_s: float
) -> None:
    """On both transports, whether Realtime is dead or stands still, whenever between two probes that happens."""

    async def play() -> None:
        for phase in range(5):
            stage = Stage(has_database=has_database)
            await stage.run(10 + phase * TICK_S)
            assert stage.told == []
            fails(stage)
            assert await stage.run(10, stage.knows_outage) <= within_s

    asyncio.run(play())


@staged
async def test_not_getting_in_again_is_an_outage(stage: Stage) -> None:
    """Everything is accepted, and nobody can join any more."""
    await stage.run(10)
    stage.seat.is_taken = False
    assert await stage.run(10, stage.knows_outage) <= 4
    assert stage.told[-1] == (OUTAGE, REASON)
    stage.seat.is_taken = True
    await stage.run(1)
    assert stage.told[-1][0] == 0


@staged
async def test_a_reconnect_and_a_hiccup_are_no_outage(stage: Stage) -> None:
    """Two seconds without the seat, a second of refusals, and minutes of two seconds' latency."""
    await stage.run(10)
    stage.seat.is_taken = False
    await stage.run(2)
    stage.seat.is_taken = True
    await stage.run(5)
    stage.dies()
    await stage.run(1)
    stage.seat.is_taken, stage.http, stage.database = True, Fate.DELIVERS, Fate.DELIVERS
    await stage.run(5)
    stage.delay_s = 2.0
    await stage.run(120)
    assert max((count for count, _ in stage.told), default=0) < OUTAGE
    assert stage.told[-1][0] == 0


@staged
async def test_a_silent_database_path_is_left_for_http_and_taken_again(stage: Stage) -> None:
    """What was heard last is named; nothing is told, for one path delivers; back after unbroken answers only."""
    await stage.run(10)
    stage.database = Fate.DROPS
    assert await stage.run(10, lambda: bool(stage.changed)) <= 3.5
    assert (stage.changed, stage.told) == (["http"], [])
    assert 9 < stage.way.heard_until <= 10
    assert stage.way.must_go_back
    for _ in range(4):
        stage.database = Fate.DELIVERS if stage.database is Fate.DROPS else Fate.DROPS
        await stage.run(4)
    stage.database = Fate.DELIVERS
    assert await stage.run(60, lambda: len(stage.changed) == 2) >= HEALTHY_AFTER_S
    assert stage.changed[1] == "database"
    assert stage.told == []


@staged
async def test_where_nothing_comes_out_events_are_held(stage: Stage) -> None:
    """With both paths silent nothing more is written into the void, until something is heard again."""
    await stage.run(10)
    stage.freezes()
    assert await stage.run(10, lambda: stage.is_held) <= 4
    assert stage.changed == [], "HTTP takes over only where it is heard to deliver"
    assert stage.way.heard_until <= 10
    stage.http, stage.database = Fate.DELIVERS, Fate.DELIVERS
    await stage.run(2)
    assert not stage.is_held
    assert stage.way.must_go_back, "what was sent meanwhile was heard by nobody"


@staged
async def test_nothing_is_held_where_nothing_is_fed(stage: Stage) -> None:
    """The gate has turned back, and clients on Supabase must be told so: by a path that is held they would not be."""
    await stage.run(10)
    stage.freezes()
    await stage.run(10, lambda: stage.is_held)
    stage.is_wanted = False
    await stage.run(0.1)
    assert not stage.is_held


@staged
async def test_who_cannot_know_says_nothing(stage: Stage) -> None:
    """Never joined, a database that is away, this process away, or nothing sent from here: no reason to call it out."""
    stage.seat.is_taken = False
    await stage.run(20)
    stage.seat.is_taken = True
    stage.database, stage.http = Fate.AWAY, Fate.REFUSES
    await stage.run(20)
    stage.seat.is_taken = False  # without its database Realtime lets nobody in
    await stage.run(5)
    stage.database, stage.http = Fate.DELIVERS, Fate.DELIVERS
    await stage.run(2)
    stage.seat.is_taken = True
    await stage.run(2)
    stage.database = stage.http = Fate.DROPS
    for _ in range(20):
        await stage.run(1)
        stage.now += 30
    stage.is_wanted = False
    await stage.run(20)
    assert stage.told == []
    assert stage.changed == []


@pytest.mark.parametrize("has_database", [True, False], ids=["database", "http"])
def test_an_unreachable_side_fails_for_who_never_had_a_seat(has_database: bool) -> None:
    """A bridge that starts in an outage: an error says something also to who does not listen."""

    async def play() -> None:
        stage = Stage(has_database=has_database)
        stage.dies()
        await stage.run(4)
        assert stage.knows_outage()

    asyncio.run(play())


def test_posts_that_hang_do_not_pile_up() -> None:
    """However long they hang, there are enough of them to know an outage, and no more."""

    async def play() -> None:
        stage = Stage(has_database=False)
        stage.http = Fate.HANGS
        await stage.run(120)
        assert stage.knows_outage()
        assert stage.posts == MAX_POSTS
        stage.http = Fate.DELIVERS
        await stage.run(2)
        assert (stage.posts, stage.told[-1][0]) == (0, 0)

    asyncio.run(play())


@staged
async def test_an_idle_bridge_is_nearly_silent(stage: Stage) -> None:
    """Once a minute without a rollout; every three seconds while something is sent; none where nothing is fed."""
    stage.is_rolling_out = False
    await stage.run(600)
    assert stage.probes == {"database": 10, "http": 0}
    began = stage.now
    while stage.now - began < 60:
        stage.last_sent_at = stage.now
        await stage.run(1)
    assert 19 <= stage.probes["database"] - 10 <= 21
    before = dict(stage.probes)
    stage.is_wanted = False
    await stage.run(600)
    assert stage.probes == before


@staged
async def test_a_silence_is_known_soon_after_something_was_sent(stage: Stage) -> None:
    """Without a rollout, after an idle hour: one message, and seconds later HTTP has taken over."""
    stage.is_rolling_out = False
    await stage.run(130)
    stage.database = Fate.DROPS
    stage.last_sent_at = stage.now
    assert await stage.run(20, lambda: bool(stage.changed)) <= 4


def test_a_probe_that_is_late_and_then_refused_is_one_failure() -> None:
    """What was not heard in time and is then refused counts once."""
    now = 0.0
    refuse = asyncio.Event()

    async def send(_name: str) -> None:
        await refuse.wait()
        raise SinkUnavailable("refused")

    async def play() -> None:
        nonlocal now
        path = PathProbe("http", send, clock=lambda: now)
        path.probe(now, 0.0)
        await asyncio.sleep(0)
        now = 2.0
        path.judge(now, listening_since=0.0)
        assert (path.failures, path.reason) == (1, SILENT)
        refuse.set()
        for _ in range(3):
            await asyncio.sleep(0)
        assert (path.failures, path.reason) == (1, SILENT)

    asyncio.run(play())


@staged
async def test_a_lost_probe_says_that_what_was_sent_with_it_is_lost(stage: Stage) -> None:
    """Over its rate a server drops for a while and goes on: all since the last probe before that is unheard."""
    stage.is_rolling_out = False
    stage.last_sent_at = float("inf")
    await stage.run(30)
    heard = stage.way.heard_until
    assert not stage.way.must_go_back
    stage.database = stage.http = Fate.DROPS
    await stage.run(5)
    stage.database = stage.http = Fate.DELIVERS
    assert await stage.run(5, lambda: stage.way.must_go_back) < 5
    assert heard <= stage.way.heard_until < heard + 3.2
    stage.way.went_back()
    await stage.run(5)
    assert stage.way.heard_until > heard + 5
    assert not stage.way.must_go_back


@pytest.mark.parametrize("was_joined", [True, False], ids=["lost", "never had"])
@pytest.mark.parametrize("has_database", [True, False], ids=["database", "http"])
def test_a_bridge_that_is_not_let_in_looks_seldom(has_database: bool, was_joined: bool) -> None:
    """Clients hear, and only this bridge's own socket is refused: it has a name, and costs what idleness costs."""

    async def play() -> None:
        stage = Stage(has_database=has_database)
        stage.is_rolling_out = False
        stage.seat.is_taken = was_joined
        await stage.run(130)
        stage.seat.is_taken = False
        await stage.run(60)
        assert stage.way.is_deaf
        stage.way.check()
        before = dict(stage.probes)
        await stage.run(600)
        assert sum(stage.probes.values()) - sum(before.values()) <= 11
        assert len(stage.told) <= 21
        stage.seat.is_taken = True
        await stage.run(1)
        assert not stage.way.is_deaf

    asyncio.run(play())
