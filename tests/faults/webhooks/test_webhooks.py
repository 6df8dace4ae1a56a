"""Webhooks through kills of the sender and a restart of Postgres."""

import os

import pytest

from tests.faults.webhooks.run import run

EVENTS = int(os.environ.get("CROSSFADE_WEBHOOK_EVENTS", "600"))
ENDPOINTS = int(os.environ.get("CROSSFADE_WEBHOOK_ENDPOINTS", "8"))


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_every_event_arrives_at_every_subscribed_endpoint() -> None:
    """The bridge is killed every few seconds and Postgres is restarted: nothing is lost, and repeats have their id."""
    ledger = run(EVENTS, ENDPOINTS, most_kills=2, timeout_s=3_000)
    print(ledger)  # noqa: T201 figures for whoever reads the log
    assert ledger.lost == 0
    assert ledger.unexpected == 0
    assert ledger.received == ledger.expected
    assert ledger.kills >= 1
    assert ledger.postgres_restarts == 1
