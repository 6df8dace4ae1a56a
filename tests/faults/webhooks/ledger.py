"""What the two-phase run found: expected, received, lost, repeated."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psycopg

TYPES = ("message.new", "message.status")  # of the events that the run writes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    events: int
    endpoints: int
    expected: int
    received: int
    lost: int
    unexpected: int
    repeats: int
    repeats_per_million: float
    kills: int
    postgres_restarts: int
    seconds: float


def read_ledger(
    url: str, directory: Path, events: int, endpoints: int, kills: int, restarts: int, seconds: float
) -> Ledger:
    """Phase two: compare what arrived with what should have."""
    with psycopg.connect(url) as connection:
        found = connection.execute("select account_id, type, event_id::text from chat_events").fetchall()
        owners = connection.execute("select url, account_id, event_types from chat_external_webhooks").fetchall()
    assert len(found) == events, f"{len(found)} events were committed"
    seen = Counter((directory / "received").read_text().splitlines())
    expected: set[str] = set()
    for endpoint, owner, patterns in owners:
        path = "/" + endpoint.rpartition("/")[2]
        wanted = {t for t in TYPES if t in patterns or "*" in patterns or f"{t.split('.')[0]}.*" in patterns}
        expected.update(
            f"{path} {event_id}" for account, type_, event_id in found if account == owner and type_ in wanted
        )
    repeats = sum(seen.values()) - len(seen)
    return Ledger(
        events=events,
        endpoints=endpoints,
        expected=len(expected),
        received=len(seen),
        lost=len(expected - seen.keys()),
        unexpected=len(seen.keys() - expected),
        repeats=repeats,
        repeats_per_million=round(repeats * 1e6 / max(len(expected), 1), 1),
        kills=kills,
        postgres_restarts=restarts,
        seconds=round(seconds, 1),
    )
