"""Legacy users in a channel's presence, as the official client of a Supabase user sees them, on a real endpoint."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow
from realtime import AsyncRealtimeChannel, AsyncRealtimeClient, RealtimeChannelOptions

from ops.local_supabase.settings import CLI_JWT_SECRET, CLI_PUBLISHABLE_KEY, CLI_SECRET_KEY
from realtime_bridge.ephemeral.crossing import EphemeralBridge
from realtime_bridge.ephemeral.members import StoredMembers
from realtime_bridge.ephemeral.presence import MemoryLeases
from realtime_bridge.legacy.frame import Emit
from realtime_bridge.legacy.sessions import Session
from realtime_bridge.shared.tokens import TokenVerifier, mint_user_token
from realtime_bridge.supabase.seats import Seats
from tests.factories import make_conversation, make_user
from tests.integration.bridge.supabase.live import LocalSupabase, local_supabase, service_key
from tests.relays import open_pool
from tests.waiting import eventually


@dataclass(slots=True)
class Client:
    """A Supabase user who sits in `presence:{id}`, and what was said there."""

    channel: AsyncRealtimeChannel
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def present(self) -> dict[str, list[dict[str, Any]]]:
        """What each presence key says, without the server's own marks."""
        return {
            key: [{name: value for name, value in dict(meta).items() if name != "presence_ref"} for meta in metas]
            for key, metas in self.channel.presence_state().items()
        }

    def said(self, event: str) -> list[dict[str, Any]]:
        return [payload for name, payload in self.heard if name == event]


@contextlib.asynccontextmanager
async def sitting(supabase: LocalSupabase, user_id: UUID, conversation_id: int) -> AsyncIterator[Client]:
    realtime = AsyncRealtimeClient(f"{supabase.url}/realtime/v1", CLI_PUBLISHABLE_KEY, auto_reconnect=False)
    await realtime.connect()
    await realtime.set_auth(mint_user_token(CLI_JWT_SECRET, user_id, 600))
    options: RealtimeChannelOptions = {
        "config": {"private": True, "broadcast": None, "presence": {"key": str(user_id), "enabled": True}}
    }
    channel = realtime.channel(f"presence:{conversation_id}", options)
    client = Client(channel)
    channel.on_broadcast("*", lambda message: client.heard.append((message["event"], dict(message["payload"]))))
    try:
        await asyncio.wait_for(channel.subscribe(), 20)
        assert channel.is_joined
        yield client
    finally:
        with contextlib.suppress(Exception):
            await realtime.close()


@contextlib.asynccontextmanager
async def bridge(supabase: LocalSupabase, database_url: str) -> AsyncIterator[tuple[EphemeralBridge, Seats]]:
    """What the bridge runs to carry signs across, without the sockets: the tests say who comes and goes."""

    async def deliver(_frame: Emit) -> None: ...

    seats = Seats(supabase_url=supabase.url, secret_key=CLI_SECRET_KEY, token=service_key)
    async with open_pool(database_url) as pool:
        made = EphemeralBridge(
            channels=seats,
            leases=MemoryLeases(),
            members=StoredMembers(pool),
            deliver=deliver,
            may_be_on_supabase=lambda _user, _account: True,
            name="one",
        )
        running = [asyncio.create_task(made.run()), asyncio.create_task(seats.run())]
        try:
            yield made, seats
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def session(user_id: UUID) -> Session:
    claims = TokenVerifier(CLI_JWT_SECRET).verify(mint_user_token(CLI_JWT_SECRET, user_id, 600))
    return Session(sid=f"sid-{user_id}", engine_sid="", claims=claims)


def name_user(conn: psycopg.Connection[DictRow], user_id: UUID, profile: dict[str, str]) -> None:
    conn.execute("update auth.users set raw_user_meta_data = %s where id = %s", (json.dumps(profile), user_id))


def test_legacy_users_come_by_name_and_stand_one_by_one(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """The first who enters is announced, though the seat is taken only then; each has an entry under the own id."""
    owner, agent, client = make_user(conn), make_user(conn, "bo@example.com"), make_user(conn)
    name_user(conn, owner, {"full_name": "Ana Silva"})
    conversation_id = make_conversation(conn, owner, agent, client)
    shown = {
        str(owner): [{"userId": str(owner), "username": "Ana Silva", "origin": "legacy", "bridge": "one"}],
        str(agent): [{"userId": str(agent), "username": "bo", "origin": "legacy", "bridge": "one"}],
    }

    async def scenario() -> None:
        async with (
            local_supabase(admin_url) as supabase,
            sitting(supabase, client, conversation_id) as there,
            bridge(supabase, database_url) as (ours, _),
        ):
            first, second = session(owner), session(agent)
            ours.joined(first, conversation_id)
            await eventually(lambda: len(there.said("presence.join")) == 1, "the first to be announced")
            ours.joined(second, conversation_id)
            await eventually(lambda: len(there.said("presence.join")) == 2, "the second to be announced")
            names = [(sign["userId"], sign["username"]) for sign in there.said("presence.join")]
            assert names == [(str(owner), "Ana Silva"), (str(agent), "bo")]
            await eventually(lambda: there.present == shown, "an entry for each")
            ours.typed(second, conversation_id, is_typing=True)
            await eventually(lambda: there.said("presence.typing"), "the typing")
            assert there.said("presence.typing")[0]["username"] == "bo"
            ours.left(second, conversation_id)
            await eventually(lambda: there.present.keys() == {str(owner)}, "the second's entry to go")
            ours.left(first, conversation_id)
            await eventually(lambda: len(there.said("presence.leave")) == 2, "both to be said to have left")
            assert [sign["username"] for sign in there.said("presence.leave")] == ["bo", "Ana Silva"]
            await eventually(lambda: there.present == {}, "the last entry to go")

    asyncio.run(scenario())


def test_a_crowd_that_comes_and_goes_at_once_is_told_one_by_one(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Thirty who come in one moment and go in one moment are thirty of each; the seat is given up after the last."""
    owner, client = make_user(conn), make_user(conn)
    crowd = [make_user(conn, accounts=[owner]) for _ in range(30)]
    conversation_id = make_conversation(conn, owner, client, *crowd)

    async def scenario() -> None:
        async with (
            local_supabase(admin_url) as supabase,
            sitting(supabase, client, conversation_id) as there,
            bridge(supabase, database_url) as (ours, seats),
        ):
            sessions = [session(user_id) for user_id in crowd]
            for one in sessions:
                ours.joined(one, conversation_id)
            await eventually(lambda: len(there.said("presence.join")) == 30, "everybody to be announced")
            for one in sessions:
                ours.left(one, conversation_id)
            await eventually(lambda: len(there.said("presence.leave")) == 30, "everybody to be said to have left")
            for event in ("presence.join", "presence.leave"):
                assert {sign["userId"] for sign in there.said(event)} == {str(user_id) for user_id in crowd}
            await eventually(lambda: there.present == {} and seats.count == 0, "the seats to be given up")

    asyncio.run(scenario())


def test_coming_and_going_in_haste_stays_under_the_limits(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Thirty changes within a moment, and the server closes no channel of ours; what is shown is right in the end."""
    owner, agent, client = make_user(conn), make_user(conn), make_user(conn)
    conversation_id = make_conversation(conn, owner, agent, client)

    async def scenario() -> None:
        async with (
            local_supabase(admin_url) as supabase,
            sitting(supabase, client, conversation_id) as there,
            bridge(supabase, database_url) as (ours, seats),
        ):
            first, second = session(owner), session(agent)
            ours.joined(first, conversation_id)
            await eventually(lambda: str(owner) in there.present, "the first entry")
            closed = 0
            for number in range(15):
                ours.joined(second, conversation_id)
                name_user(conn, owner, {"full_name": f"Ana {number}"})
                ours.left(second, conversation_id)
                await asyncio.sleep(0)
            name_user(conn, owner, {"full_name": "Ana"})
            ours.joined(second, conversation_id)
            until = time.monotonic() + 3
            while time.monotonic() < until:
                closed += not seats.is_joined(f"presence:{conversation_id}")
                await asyncio.sleep(0.05)
            assert closed == 0, "the bridge lost its seat"
            await eventually(lambda: there.present.keys() == {str(owner), str(agent)}, "both, in the end")

    asyncio.run(scenario())


def test_a_disconnect_that_the_server_asks_for_is_outlived(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """`Server requested disconnect`, which the official client cannot parse: seat and entries come back."""
    owner, client = make_user(conn), make_user(conn)
    conversation_id = make_conversation(conn, owner, client)

    async def scenario() -> None:
        async with local_supabase(admin_url) as supabase, bridge(supabase, database_url) as (ours, seats):
            ours.joined(session(owner), conversation_id)
            topic = f"presence:{conversation_id}"
            await eventually(lambda: seats.is_joined(topic) and seats.is_joined(topic, str(owner)), "both seats")
            await supabase.disconnect_all()
            await eventually(lambda: not seats.is_joined(topic), "the end")
            await eventually(lambda: seats.is_joined(topic) and seats.is_joined(topic, str(owner)), "both again")
            async with sitting(supabase, client, conversation_id) as there:
                await eventually(lambda: str(owner) in there.present, "the entry")

    asyncio.run(scenario())
