"""The rate of broadcasts: below the project's limit over a minute, lowered when the server refuses, raised slowly."""

from realtime_bridge.relay.sink import SinkNotReady
from realtime_bridge.supabase.rate import BATCH, PAUSE_S, SHARE, WINDOW_S, Rate


class Stage:
    """A clock, and somebody who sends five at a time whenever it is allowed."""

    def __init__(self, limit: float | None) -> None:
        self.now = 0.0
        self.rate = Rate(limit, clock=lambda: self.now)
        self.sent: list[float] = []

    def send(self, seconds: float, count: int = 5, step_s: float = 0.05) -> int:
        """Send as much as may go; return how many went."""
        until, before = self.now + seconds, len(self.sent)
        while self.now < until:
            try:
                self.rate.check(count)
            except SinkNotReady as reason:
                self.now += reason.retry_after_s or 0
                continue
            self.rate.spend(count)
            self.sent += [self.now] * count
            self.now += step_s
        return len(self.sent) - before

    def most_in_a_minute(self) -> int:
        return max(sum(at <= other < at + WINDOW_S for other in self.sent) for at in self.sent[::50])


def test_no_minute_has_more_than_the_share() -> None:
    """Also when a quiet minute went before: a burst passes, and is counted."""
    stage = Stage(100)
    stage.now = 120.0
    burst = stage.send(10, step_s=0.01)
    assert burst > 2_000
    assert burst + stage.send(200) > 200 * 100 * SHARE * 0.9
    assert stage.most_in_a_minute() <= WINDOW_S * 100 * SHARE + 5


def test_after_a_return_of_realtime_silence_before_counts_for_nothing() -> None:
    """Its own count begins anew: there is no credit for a quiet minute."""
    stage = Stage(100)
    stage.now = 120.0
    stage.rate.begin_anew()
    assert stage.send(10, step_s=0.01) <= 10 * 100 * SHARE + 5


def test_a_refusal_pauses_and_lowers_and_time_raises_again() -> None:
    """Several refusals of one tick are one."""
    stage = Stage(100)
    stage.now = 120.0
    for _ in range(3):
        assert stage.rate.refused().retry_after_s == PAUSE_S
    assert stage.rate.per_s is not None
    assert 60 < stage.rate.per_s < 100 * SHARE
    assert stage.send(PAUSE_S - 0.1) == 0
    stage.send(600)
    assert stage.rate.per_s == 100 * SHARE


def test_without_a_limit_the_first_refusal_finds_one() -> None:
    """What was sent when the server refused is what it takes; until then nothing is kept back."""
    stage = Stage(None)
    assert stage.send(60, count=100, step_s=1.0) == 6_000
    stage.rate.refused()
    assert stage.rate.limit == 100
    assert stage.rate.room() == 0


def test_a_guess_grows_and_the_servers_word_takes_its_place() -> None:
    """A refusal that names no limit, while hardly anything was sent, does not silence a project for good."""
    stage = Stage(None)
    stage.rate.refused()
    stage.send(600)
    assert stage.rate.limit is not None
    assert stage.rate.limit > 100
    stage.rate.learn("500")
    assert stage.rate.limit == 500
    stage.send(60)
    assert stage.rate.limit == 500


def test_the_servers_own_word_counts_where_it_is_lower() -> None:
    """And what is no number says nothing."""
    rate = Rate(500)
    for word in (None, "", "many", "-1", "0", "2500"):
        rate.learn(word)
    assert rate.limit == 500
    rate.learn("100")
    assert rate.limit == 100


def test_batches_shrink_until_one_is_refused() -> None:
    """Being told to reduce the batch size is no reason to wait; a single broadcast that is too many is."""
    stage = Stage(100)
    sizes = [stage.rate.batch]
    while stage.rate.batch > 1:
        stage.rate.shrink()
        sizes.append(stage.rate.batch)
    assert sizes[0] == BATCH
    assert stage.rate.per_s == 100 * SHARE
    stage.now += 60
    stage.rate.shrink()
    assert stage.rate.per_s < 100 * SHARE


def test_an_event_larger_than_the_rate_goes_alone() -> None:
    """A conversation of a thousand on a project of ten a second: late, and not never."""
    stage = Stage(10)
    assert stage.send(200, count=1_000) >= 1_000
