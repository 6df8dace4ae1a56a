"""The bridge's first seconds beside a project that sleeps: what is to be expected is no error."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator, MutableMapping
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from ops.local_supabase.endpoint import Endpoint
from ops.local_supabase.settings import Settings
from realtime_bridge.shared import logging as logs
from realtime_bridge.shared.tokens import mint_role_key
from realtime_bridge.supabase import connection
from realtime_bridge.supabase.seats import Seats
from tests.integration.local_supabase.serving import QUICK
from tests.waiting import eventually

SECRET = "a-secret-of-the-tests-that-is-long-enough"


@contextlib.contextmanager
def sleeping(admin_url: str) -> Iterator[None]:
    """A project that nobody has joined for days has no partition for today, and refuses every private channel."""
    with psycopg.connect(admin_url, autocommit=True) as admin:
        row = admin.execute("select to_char(now() at time zone 'utc', 'YYYY_MM_DD')").fetchone()
        assert row is not None
        partition, day = f"realtime.messages_{row[0]}", row[0].replace("_", "-")
        admin.execute(f"alter table realtime.messages detach partition {partition}".encode())
        yield
        bounds = f"from ('{day}') to ('{date.fromisoformat(day) + timedelta(days=1)}')"
        admin.execute(f"alter table realtime.messages attach partition {partition} for values {bounds}".encode())


def test_a_sleeping_project_is_no_error(admin_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Joins are refused until Supabase has woken up: said once as a warning if it lasts, and never as an error."""
    logs.lower_handled_errors()

    async def check() -> None:
        endpoint = Endpoint(Settings(database_url=admin_url, port=0, jwt_secret=SECRET, timings=QUICK))
        await endpoint.start()
        key = mint_role_key(SECRET, "service_role", 600)
        seats = Seats(supabase_url=endpoint.url, secret_key=key, token=lambda: key)
        running = asyncio.create_task(seats.run())
        try:
            topics = [f"conversation:{number}" for number in range(1, 4)]
            with sleeping(admin_url):
                for topic in topics:
                    seats.take(topic, lambda _event, _payload: None)
                await eventually(lambda: _warnings(events) == 3, "one warning for each channel", 30)
            await eventually(lambda: all(map(seats.is_joined, topics)), "every seat", 30)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            await endpoint.stop()

    with caplog.at_level(logging.INFO), capture_logs() as events:
        asyncio.run(asyncio.wait_for(check(), 60))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert _warnings(events) == 3


def _warnings(events: list[MutableMapping[str, Any]]) -> int:
    return sum(event["event"] == connection.NOT_JOINED for event in events)
