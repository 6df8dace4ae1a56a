"""What an operator reads is what is delivered, for every provider, stage and sink."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import DictRow

from gateway.store.realtime_sessions import note_told
from ops.cli.main import main
from realtime_bridge.fleet.clock import DatabaseClock
from realtime_bridge.legacy.frame import Emit
from realtime_bridge.legacy.sink import LegacySink
from realtime_bridge.relay.loop import Relay
from realtime_bridge.relay.sink import Nobody
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.settings import Settings
from realtime_bridge.supabase.database import DatabaseTransport
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.sink import RealtimeService
from realtime_bridge.wiring.legacy import create_legacy
from realtime_bridge.wiring.relays import SINKS, create_heartbeat, create_relays
from realtime_bridge.wiring.rollout import create_rollout
from tests.factories import append_message, make_conversation, make_user
from tests.integration.rollout.operator import KEEPER, Operator
from tests.integration.rollout.stages import FLAG, put_stage
from tests.relays import open_pool, run
from tests.servers.gateway_server import serve
from tests.waiting import eventually, wait_for

PROVIDERS = ("socketio", "supabase", "dual", "rollout")
STAGES = ("off", "shadow", "10", "100", "complete")
SECRET = "a-secret-of-the-tests-that-is-long-enough"
FED = {
    frozenset[str](): "Neither side is fed",
    frozenset({"legacy"}): "Only legacy is fed",
    frozenset({"supabase"}): "Only Supabase is fed",
    frozenset({"legacy", "supabase"}): "Both sides are fed",
}


class Bridge:
    """A bridge as `__main__` wires it, without its web server: what its sockets would get is kept."""

    def __init__(self, relays: Sequence[Relay], heard: list[Emit]) -> None:
        self.relays = relays
        self.heard = heard

    async def catch_up(self, conn: psycopg.Connection[DictRow]) -> None:
        """Wait until every sink has dealt with everything that is in the log."""
        newest = conn.execute("select max(id) as id from chat_events").fetchone()
        assert newest is not None
        await eventually(
            lambda: all(relay.lease and relay.lease.cursor.high_water >= newest["id"] for relay in self.relays),
            "the relays",
        )


@contextlib.asynccontextmanager
async def bridge(database_url: str, provider: str) -> AsyncIterator[Bridge]:
    settings = Settings.from_env(
        {"DATABASE_URL": database_url, "SUPABASE_JWT_SECRET": SECRET, "CHAT_REALTIME_PROVIDER": provider}
    )
    async with open_pool(database_url, size=12) as pool:
        transport, clock, name = DatabaseTransport(Way(hold_s=0.0)), DatabaseClock(), "host:1:bridge"
        legacy = create_legacy(settings, pool, name) if settings.feeds_legacy else None
        heard: list[Emit] = []

        async def hear(emits: Sequence[Emit]) -> None:
            heard.extend(emits)

        if legacy:
            legacy.publish = hear  # as far as the sink goes
        tallies = {side: Nobody() for side in Side}
        rollout = create_rollout(settings, pool, transport, legacy, name)
        relays = create_relays(settings, pool, RealtimeService(transport), Way(), legacy, name, rollout, tallies)
        for relay in relays:
            if isinstance(relay.sink, LegacySink):
                relay.sink._grace_s = 0.0
        heartbeat = create_heartbeat(settings, pool, relays, legacy, name, rollout, clock)
        parts = [
            heartbeat.run(),
            *(relay.run() for relay in relays),
            *((rollout.dial.run(), rollout.keeper.run()) if rollout else ()),
        ]
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            await eventually(lambda: all(relay.lease for relay in relays), "the leases")
            yield Bridge(relays, heard)
        finally:
            for relay in relays:
                relay.stop()
            await asyncio.wait(tasks[1 : 1 + len(relays)], timeout=10)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def read(database_url: str, *words: str) -> Any:
    result = CliRunner().invoke(main, [*words, "--json"], env={"DATABASE_URL": database_url})
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def delivered(admin_url: str, content: str, heard: Sequence[Emit]) -> set[str]:
    """Return which sides have really got this message, by what came out of them."""
    found = set()
    with psycopg.connect(admin_url) as admin:
        if admin.execute("select 1 from realtime.messages where payload ->> 'content' = %s", (content,)).fetchone():
            found.add("supabase")
    if any(emit.event == "message" and content in json.dumps(emit.data) for emit in heard):
        found.add("legacy")
    return found


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_read_is_what_is_delivered(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow], provider: str
) -> None:
    """At each stage a message is sent, and every sentence is compared with where it came out."""
    conversation = make_conversation(conn, make_user(conn))

    async def walk() -> None:
        async with bridge(database_url, provider) as running:
            since: dict[str, tuple[bool, str]] = {}
            for stage in STAGES:
                put_stage(conn, stage, minutes_ago=0)
                await eventually(lambda: follows(conn, provider), f"the bridge at {stage}")
                append_message(conn, conversation, f"sent at {stage}")
                await running.catch_up(conn)
                fed = delivered(admin_url, f"sent at {stage}", running.heard)
                status = await asyncio.to_thread(read, database_url, "rollout", "status")
                where = f"{provider} at {stage}"
                assert status["meaning"].startswith(FED[frozenset(fed)]), where
                assert {side for side, state in status["sides"].items() if state["isFed"]} == fed, where
                assert status["isFollowed"] is (provider == "rollout"), where
                assert (f"CHAT_REALTIME_PROVIDER={provider}" in status["meaning"]) is (provider != "rollout"), where
                rows = await asyncio.to_thread(read, database_url, "relay", "status")
                compare_relay(rows, fed, {relay.sink.name for relay in running.relays}, where)
                for side, state in status["sides"].items():
                    was_fed, was_since = since.get(side, (state["isFed"], state["since"]))
                    assert (was_since == state["since"]) is (was_fed is state["isFed"]), f"{side}, {where}"
                    since[side] = (state["isFed"], state["since"])
                assert (status["gate"]["outcome"] == "hold") is (stage in ("shadow", "10", "100")), where

    run(walk)


def follows(conn: psycopg.Connection[DictRow], provider: str) -> bool:
    """Whether the bridge says of itself that it has seen the newest change, or that it does not look."""
    row = conn.execute("select r.version, s.version as newest from bridge_reports r, rollout_stages s").fetchone()
    return row is not None and (provider != "rollout" or row["version"] == row["newest"])


def compare_relay(rows: list[dict[str, Any]], fed: set[str], held: set[str], where: str) -> None:
    assert {row["sink"] for row in rows} == set(SINKS)
    for row in rows:
        sink, is_side = row["sink"], row["sink"] in ("legacy", "supabase")
        assert (row.get("held_by", row.get("heldBy")) is not None) is (sink in held), (where, sink)
        if sink in held:
            assert row.get("is_fed", row.get("isFed")) is (sink in fed if is_side else True), (where, sink)


@pytest.mark.parametrize("provider", ["dual", "socketio", "supabase"])
def test_a_dial_that_nobody_follows_is_not_turned_forward(database_url: str, provider: str) -> None:
    """It would say one thing and do another. Back is never refused, and --force turns it all the same."""

    async def turn() -> None:
        async with bridge(database_url, provider):
            await asyncio.to_thread(refuse)

    def refuse() -> None:
        refused = invoke("set", "shadow", "--why", "first look")
        assert refused.exit_code == 1
        assert f"CHAT_REALTIME_PROVIDER={provider} pins them" in refused.output
        assert invoke("set", "shadow", "--force", "--why", "before the restart").exit_code == 0
        assert invoke("rollback").exit_code == 0

    def invoke(*words: str) -> Any:
        return CliRunner().invoke(main, ["rollout", *words], env={"DATABASE_URL": database_url})

    run(turn)


def test_no_bridge_at_all_is_said(database_url: str) -> None:
    """And what to start."""
    assert read(database_url, "rollout", "status")["meaning"].startswith("Neither side is fed. No bridge follows")
    refused = CliRunner().invoke(main, ["rollout", "set", "shadow", "--why", "x"], env={"DATABASE_URL": database_url})
    assert "none is running: start one with CHAT_REALTIME_PROVIDER=rollout" in refused.output
    table = CliRunner().invoke(main, ["relay", "status"], env={"DATABASE_URL": database_url, "COLUMNS": "200"})
    assert "delivering" not in table.output


def test_a_gateway_that_is_pinned_is_named_as_long_as_it_runs(
    tmp_path: Path, database_url: str, redis_url: str, conn: psycopg.Connection[Any]
) -> None:
    """It tells clients something else than the dial: nothing goes forward. Of one of before nothing is said."""
    conn.execute(KEEPER, (FLAG,))
    user = make_user(conn)
    note_told(conn, user, user, "socketio", datetime.now(UTC) + timedelta(minutes=15))
    conn.execute("update rollout_sessions set source = 'pin'")  # as an answer of a version before
    operator = Operator(database_url)
    assert operator.read("rollout status")["meaning"] == "Neither side is fed; every client is told legacy."
    with serve(tmp_path, database_url, redis_url, CHAT_REALTIME_PROVIDER="socketio") as gateway:
        name = f"{socket.gethostname()}:{gateway.process.pid}:gateway"
        pinned = f"{name} does not follow the dial (CHAT_REALTIME_PROVIDER=socketio)"
        status = operator.read("rollout status")
        assert pinned in status["meaning"]
        assert [(one["gateway"], one["provider"]) for one in status["gateways"]] == [(name, "socketio")]
        assert f"Gateway {name}: CHAT_REALTIME_PROVIDER=socketio" in operator.ok("rollout status")
        assert pinned in operator.refused("rollout set shadow --why x")
    with serve(tmp_path, database_url, redis_url, CHAT_REALTIME_PROVIDER="rollout"):
        wait_for(lambda: operator.read("rollout status")["isFollowed"], "the one of before to be gone", 30)
        assert "pinned" not in operator.ok("rollout status")
        operator.ok("rollout set shadow --why x")
