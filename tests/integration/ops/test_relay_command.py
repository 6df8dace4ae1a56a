"""`crossfade relay` tells an operator what happens and sends parked events again."""

import asyncio
import json
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import DictRow

from ops.cli.main import main
from realtime_bridge.fleet import reports
from realtime_bridge.fleet.reports import Report
from realtime_bridge.relay.sink import SinkUnavailable
from realtime_bridge.wiring.relays import SINKS
from tests.factories import append_message, make_conversation, make_user
from tests.fakes import RecordingSink
from tests.relays import held_relay, run


@pytest.fixture
def parked_event(database_url: str, conn: psycopg.Connection[DictRow]) -> str:
    """One event that the legacy sink refused; returns its id."""
    append_message(conn, make_conversation(conn, make_user(conn)))

    async def refuse() -> None:
        sink = RecordingSink()
        sink.refuses = lambda _: True
        async with held_relay(database_url, sink) as relay:
            await relay.run_once()

    run(refuse)
    row = conn.execute("select event_id from parked_events").fetchone()
    assert row is not None
    return str(row["event_id"])


def crossfade(database_url: str, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["relay", *arguments], env={"DATABASE_URL": database_url, "COLUMNS": "250"})
    return result.exit_code, result.output


def test_status_says_that_a_sink_is_behind_and_why(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """An outage shows as failures, a lag and the reason, in the table and in JSON."""
    append_message(conn, make_conversation(conn, make_user(conn)))

    async def fail() -> None:
        sink = RecordingSink()
        sink.unavailable = SinkUnavailable("the other side is on fire")
        async with held_relay(database_url, sink) as relay:
            for _ in range(5):
                await relay._step()

    run(fail)
    code, table = crossfade(database_url, "status")
    assert code == 0
    assert "breaker open" in table
    assert "the other side is on fire" in table
    _, output = crossfade(database_url, "status", "--json")
    legacy = next(row for row in json.loads(output) if row["sink"] == "legacy")
    assert legacy["lagEvents"] == 1
    assert legacy["breaker"] == "open"
    supabase = next(row for row in json.loads(output) if row["sink"] == "supabase")
    assert supabase["heldBy"] is None


def test_parked_lists_the_reason_and_replay_marks_it(database_url: str, parked_event: str) -> None:
    """The id in the list is what replay takes."""
    _, table = crossfade(database_url, "parked")
    assert parked_event in table
    assert "refused by this sink" in table
    assert "1 event of legacy is parked" in crossfade(database_url, "status")[1]
    code, output = crossfade(database_url, "replay", parked_event)
    assert (code, "1 event will be delivered again" in output) == (0, True)
    _, listed = crossfade(database_url, "parked", "--json")
    assert json.loads(listed)[0]["replayRequestedAt"]


def test_replay_wants_to_know_what(database_url: str, parked_event: str) -> None:
    """Neither nothing nor an unknown id nor both an id and --all is accepted, each with its own sentence."""
    assert crossfade(database_url, "replay")[0] == 2
    assert crossfade(database_url, "replay", "--all", parked_event)[0] == 2
    code, output = crossfade(database_url, "replay", str(uuid4()))
    assert code == 1
    assert "No parked event matches" in output
    assert crossfade(database_url, "replay", str(uuid4()), "--json")[0] == 1
    assert crossfade(database_url, "replay", "--all", "--sink", "legacy", "--json")[0] == 0


def test_nothing_to_replay_is_no_failure(database_url: str) -> None:
    """A script may say --all whenever it likes."""
    assert crossfade(database_url, "replay", "--all") == (0, "Nothing is parked, so there is nothing to replay.\n")
    assert json.loads(crossfade(database_url, "replay", "--all", "--json")[1]) == {"requested": []}


def test_a_sink_is_one_of_those_that_exist(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """A misspelt name is a mistake on the command line, not an empty list; the names are those of the cursors."""
    assert {row["sink"] for row in conn.execute("select sink from relay_cursors").fetchall()} == set(SINKS)
    for command in (("parked",), ("replay", "--all")):
        code, output = crossfade(database_url, *command, "--sink", "supabse")
        assert (code, "'supabase', 'legacy', 'webhooks', 'wuzapi'" in output) == (2, True)


def test_an_unreachable_database_is_one_sentence() -> None:
    """No traceback, exit code 1."""
    code, output = crossfade("postgresql://postgres@127.0.0.1:1/nowhere", "status")
    assert code == 1
    assert output.startswith("Error: ")
    assert "Traceback" not in output


def test_a_bridge_lives_as_long_here_as_for_the_dial(
    database_url: str, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it reported holds for `ALIVE_S`, wherever it is read."""
    report = Report(bridge="test", provider="dual", sinks={}, feed_mode="full", version=None, has_canary=False)

    async def live() -> None:
        async with held_relay(database_url, RecordingSink()) as relay, relay._pool.connection() as connection:
            await reports.report(connection, report)

    run(live)
    conn.execute("update relay_cursors set lease_owner = 'test', lease_until = 'infinity' where sink = 'legacy'")
    conn.execute("update bridge_reports set seen_at = now() - interval '1 minute'")

    def provider() -> str | None:
        rows = json.loads(crossfade(database_url, "status", "--json")[1])
        found: str | None = next(row for row in rows if row["sink"] == "legacy")["provider"]
        return found

    assert provider() is None
    monkeypatch.setattr(reports, "ALIVE_S", 120.0)
    assert provider() == "dual"


def test_status_without_a_bridge_says_what_to_start(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Nobody delivers: one line says how to change that; with a bridge it is not there."""
    code, output = crossfade(database_url, "status")
    assert (code, "No bridge is running: `python -m realtime_bridge` starts one" in output) == (0, True)
    append_message(conn, make_conversation(conn, make_user(conn)))
    seen = []

    async def look() -> None:
        async with held_relay(database_url, RecordingSink()):
            seen.append(await asyncio.to_thread(crossfade, database_url, "status"))

    run(look)
    assert "No bridge is running" not in seen[0][1]
