"""Buckets are for ever, the same in every language, and fair."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import mmh3
import pytest

from realtime_bridge.rollout.dial.bucket import BUCKETS, bucket_of
from realtime_bridge.rollout.dial.stages import FLAG
from tests.clients.node import NodeScript

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "bucket_vectors.json").read_text())["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['flag']}:{vector['userId'][:8]}")
def test_python_keeps_the_published_vectors(vector: dict[str, Any]) -> None:
    """A user's bucket never changes."""
    assert bucket_of(vector["flag"], UUID(vector["userId"])) == vector["bucket"]


def test_javascript_agrees_on_every_vector() -> None:
    """A client in a browser computes what the server decides, also for lengths that leave one to three bytes over."""
    odd = [{"flag": "f" * length, "userId": VECTORS[0]["userId"]} for length in range(1, 6)]
    expected = [*VECTORS, *({**vector, "bucket": bucket_of(vector["flag"], UUID(vector["userId"]))} for vector in odd)]
    with NodeScript("rollout/buckets.mjs") as script:
        for vector in expected:
            script.send(flag=vector["flag"], userId=vector["userId"])
        assert [script.next_line() for _ in expected] == expected


def test_the_hash_is_the_well_known_one() -> None:
    """Vectors of the reference implementation."""
    assert mmh3.hash("", 0, signed=False) == 0
    assert mmh3.hash("test", 0, signed=False) == 0xBA6BD213
    assert mmh3.hash("Hello, world!", 0, signed=False) == 0xC0363E43


def test_a_million_users_are_spread_evenly() -> None:
    """Each stage of the ladder gets its share within half a point; in fact within a tenth."""
    source = random.Random(1)
    counts = Counter(bucket_of(FLAG, UUID(int=source.getrandbits(128), version=4)) for _ in range(1_000_000))
    assert max(counts) < BUCKETS
    for percentage in (1, 10, 25, 50, 75, 100):
        share = sum(n for bucket, n in counts.items() if bucket < percentage * 100) / 1_000_000
        assert abs(share * 100 - percentage) < 0.1


def test_two_flags_are_independent() -> None:
    """Being early in one rollout says nothing about another."""
    source = random.Random(2)
    users = [UUID(int=source.getrandbits(128), version=4) for _ in range(100_000)]
    early = [user for user in users if bucket_of(FLAG, user) < 1_000]
    both = sum(bucket_of("another_flag", user) < 1_000 for user in early)
    assert 0.08 < both / len(early) < 0.12
