"""The questions of bench_api_scale at a size the suite can afford: not how long they take, but what they look at."""

import re

import pytest

from tests.bench.scale import PROBES, Size, ensure_seeded, in_process, plans

SIZE = Size("suite", 3_000, 40_000)  # a walk over all messages looks at some 1,500 blocks
MAX_BLOCKS = 800  # of 8 KB; the worst question on 2,000,000 messages with one word looks at 430


@pytest.mark.timeout(300)  # seeding takes seconds, on a busy machine some more
def test_no_question_looks_at_everything(database_url: str, redis_url: str) -> None:
    """Each list, filter and search reads a bounded number of blocks, and none reads all messages."""
    account_id = ensure_seeded(database_url, SIZE)
    looked_at: dict[str, int] = {}
    with in_process(database_url, f"{redis_url}?db=8", SIZE, account_id) as account:
        for probe in PROBES:
            text = plans(database_url, account, probe.name)
            assert "Seq Scan on chat_messages" not in text, text
            executed = re.sub(r"Planning:\n.*", "", text)  # the first plan of a connection reads the catalogue
            blocks = [int(hit) + int(read or 0) for hit, read in re.findall(r"hit=(\d+)(?: read=(\d+))?", executed)]
            looked_at[probe.name] = max(blocks)
    assert {name: blocks for name, blocks in looked_at.items() if blocks > MAX_BLOCKS} == {}
