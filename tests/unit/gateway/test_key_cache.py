"""How long a worker may believe what it knows about a key."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from gateway.domain.keys import ApiKey
from gateway.keys.cache import IDLE_S, TRUST_S, KeyCache

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make(key_id: str = "k") -> ApiKey:
    return ApiKey(
        id=key_id,
        account_id=uuid4(),
        name="n",
        env="test",
        prefix="p",
        secret_hash=b"x" * 32,
        scopes=("chat:read",),
        rate_limit=None,
        send_rate_limit=None,
        created_at=NOW,
        expires_at=None,
        revoked_at=None,
        last_used_at=None,
    )


def test_a_state_is_believed_for_less_than_a_second_after_its_query_began() -> None:
    """Not after it was stored: a slow query's news is older than it looks."""
    clock = Clock()
    cache = KeyCache(clock=clock)
    key = make()
    cache.store(key, read_at=clock.now - 0.5)
    assert cache.find("k") == key
    clock.now += TRUST_S - 0.5 - 0.01
    assert cache.find("k") == key
    clock.now += 0.02
    assert cache.find("k") is None


def test_re_reading_renews_the_belief() -> None:
    """An answer of the sync counts from the moment its query began."""
    clock = Clock()
    cache = KeyCache(clock=clock)
    key = make()
    cache.store(key, read_at=clock.now)
    clock.now += 0.8
    cache.replace(["k"], [key], read_at=clock.now)
    clock.now += 0.8
    assert cache.find("k") == key


def test_older_news_never_replaces_newer() -> None:
    """A sync that began before the gate's own lookup does not bring a revoked key back."""
    clock = Clock()
    cache = KeyCache(clock=clock)
    active, revoked = make(), replace(make(), revoked_at=NOW)
    cache.store(revoked, read_at=clock.now)
    cache.replace(["k"], [active], read_at=clock.now - 0.1)
    assert cache.find("k") == revoked
    cache.store(active, read_at=clock.now - 0.1)
    assert cache.find("k") == revoked


def test_a_key_that_was_deleted_is_forgotten() -> None:
    """Asked for and not found means gone; what was not asked for stays."""
    clock = Clock()
    cache = KeyCache(clock=clock)
    other = make("other")
    cache.store(make(), read_at=clock.now)
    cache.store(other, read_at=clock.now)
    cache.replace(["k"], [], read_at=clock.now)
    assert cache.find("k") is None
    assert cache.find("other") == other


def test_the_cache_is_bounded_and_drops_the_longest_unused() -> None:
    """Past its capacity the least recently used key goes."""
    clock = Clock()
    cache = KeyCache(clock=clock, capacity=2)
    for key_id in ("a", "b"):
        cache.store(make(key_id), read_at=clock.now)
    assert cache.find("a") is not None
    cache.store(make("c"), read_at=clock.now)
    assert cache.ids() == ["a", "c"]


def test_keys_nobody_uses_are_not_read_again() -> None:
    """After IDLE_S a key leaves the list that is re-read twice a second."""
    clock = Clock()
    cache = KeyCache(clock=clock)
    cache.store(make("idle"), read_at=clock.now)
    clock.now += IDLE_S / 2
    cache.store(make("busy"), read_at=clock.now)
    clock.now += IDLE_S / 2 + 1
    assert cache.ids() == ["busy"]


def test_uses_survive_a_failed_write() -> None:
    """What could not be written is written with the next batch, without hiding newer uses."""
    cache = KeyCache()
    cache.mark_used("a")
    cache.mark_used("b")
    taken = cache.take_used()
    cache.mark_used("b")
    cache.put_back_used(taken)
    again = cache.take_used()
    assert again["a"] == taken["a"]
    assert again["b"] >= taken["b"]
    assert cache.take_used() == {}
