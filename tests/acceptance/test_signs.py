"""Typing and presence cross between an official Socket.IO client and an official Supabase client, in a real stack."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import pytest
import socketio
from realtime import AsyncRealtimeChannel, AsyncRealtimeClient, RealtimeChannelOptions

from realtime_bridge.ephemeral.signs import TYPING_EXPIRES_S
from realtime_bridge.shared.tokens import mint_user_token
from tests.acceptance.stack import Stack
from tests.factories import make_conversation, make_user
from tests.waiting import eventually

SEAT_TIMEOUT_S = 20.0
pytestmark = pytest.mark.slow


@dataclass(slots=True)
class Pair:
    """A conversation whose owner is on Socket.IO and whose client is on Supabase, and what each was shown."""

    conversation_id: int
    owner: UUID
    client: UUID
    socket: socketio.AsyncClient
    channel: AsyncRealtimeChannel
    legacy: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    supabase: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def shown(self, event: str, **wanted: object) -> list[dict[str, Any]]:
        both = [*self.legacy, *self.supabase]
        return [data for name, data in both if name == event and wanted.items() <= data.items()]

    async def type_legacy(self, *, is_typing: bool) -> None:
        answer = await self.socket.call("typing", {"conversationId": str(self.conversation_id), "isTyping": is_typing})
        assert answer == {"ok": True}

    async def type_supabase(self, user_id: UUID, *, is_typing: bool, **marks: object) -> None:
        payload = {"userId": str(user_id), "isTyping": is_typing, **marks}
        await self.channel.send_broadcast("presence.typing", payload)


@contextlib.asynccontextmanager
async def opened(stack: Stack) -> AsyncIterator[Pair]:
    ready = stack.ready
    with psycopg.connect(ready["databaseUrl"], autocommit=True) as connection:
        owner, client = make_user(connection), make_user(connection)
        conversation_id = make_conversation(connection, owner, client)
    realtime = AsyncRealtimeClient(f"{ready['supabaseUrl']}/realtime/v1", ready["anonKey"])
    await realtime.connect()
    await realtime.set_auth(mint_user_token(ready["jwtSecret"], client, 600))
    options: RealtimeChannelOptions = {
        "config": {"private": True, "broadcast": None, "presence": {"key": str(client), "enabled": True}}
    }
    channel = realtime.channel(f"presence:{conversation_id}", options)
    pair = Pair(conversation_id, owner, client, socketio.AsyncClient(), channel)
    channel.on_broadcast("*", lambda message: pair.supabase.append((message["event"], dict(message["payload"]))))
    pair.socket.on("*", lambda event, data: pair.legacy.append((event, data)))
    try:
        await channel.subscribe()
        assert channel.is_joined
        await connect(stack, pair)
        yield pair
    finally:
        await realtime.close()
        await pair.socket.disconnect()


async def connect(stack: Stack, pair: Pair) -> None:
    token = mint_user_token(stack.ready["jwtSecret"], pair.owner, 600)
    await pair.socket.connect(stack.ready["bridgeUrl"], auth={"token": token}, socketio_path="/api/ws")
    assert (await pair.socket.call("subscribe:conversation", str(pair.conversation_id)))["ok"]


async def crossed(pair: Pair) -> None:
    """Type on the legacy side until it is heard on the other: the bridge has taken its seat then."""
    deadline = time.monotonic() + SEAT_TIMEOUT_S
    while not pair.shown("presence.typing", isTyping=True):
        assert time.monotonic() < deadline, "the bridge has not taken its seat"
        await pair.type_legacy(is_typing=True)
        await asyncio.sleep(0.05)


def test_signs_cross_once_in_each_direction(stack: Stack) -> None:
    """Each side sees the other type and stop, with the typist's id; nothing comes back to where it began."""

    async def check() -> None:
        async with opened(stack) as pair:
            await crossed(pair)
            await pair.type_legacy(is_typing=False)
            await eventually(lambda: pair.shown("presence.typing", isTyping=False), "the stop on Supabase")
            (stop,) = pair.shown("presence.typing", isTyping=False)
            assert (stop["userId"], stop["origin"], stop["hop"]) == (str(pair.owner), "legacy", 1)
            await pair.type_supabase(pair.client, is_typing=True)
            await eventually(lambda: pair.shown("typing", isTyping=True), "the start on the legacy side")
            await pair.type_supabase(pair.client, is_typing=False)
            await eventually(lambda: pair.shown("typing", isTyping=False), "the stop on the legacy side")
            assert {sign["userId"] for sign in pair.shown("typing")} == {str(pair.client)}
            assert {sign["userId"] for sign in pair.shown("presence.typing")} == {str(pair.owner)}

    asyncio.run(check())


def test_crossed_signs_and_lies_are_not_carried_on(stack: Stack) -> None:
    """A sign with a hop or a foreign origin, a stranger's and a malformed one end at the bridge; a good one passes."""

    async def check() -> None:
        async with opened(stack) as pair:
            await crossed(pair)
            await pair.type_supabase(pair.client, is_typing=True, hop=1)
            await pair.type_supabase(pair.client, is_typing=True, origin="legacy")
            await pair.type_supabase(UUID(int=7), is_typing=True)
            await pair.channel.send_broadcast("presence.typing", {"isTyping": "yes", "userId": 5})
            await pair.channel.send_broadcast("message.new", {"id": 1, "content": "forged"})
            await pair.type_supabase(pair.client, is_typing=True)
            await eventually(lambda: pair.shown("typing"), "the good one")
            assert len(pair.shown("typing")) == 1
            assert pair.shown("message") == []

    asyncio.run(check())


def test_a_flood_is_folded_and_a_forgotten_sign_ends(stack: Stack) -> None:
    """Fifty starts within a second are one; without a stop the bridge says it itself after the expiry."""

    async def check() -> None:
        async with opened(stack) as pair:
            await crossed(pair)
            started = time.monotonic()
            for _ in range(50):
                await pair.type_supabase(pair.client, is_typing=True)
            await eventually(lambda: pair.shown("typing", isTyping=False), "the expiry", TYPING_EXPIRES_S + 10)
            assert time.monotonic() - started >= TYPING_EXPIRES_S
            starts = pair.shown("typing", isTyping=True)
            assert 1 <= len(starts) <= 1 + (time.monotonic() - started - TYPING_EXPIRES_S + 1)

    asyncio.run(check())


def test_presence_is_the_union_of_both_sides(stack: Stack) -> None:
    """The legacy side hears who tracks on Supabase, Supabase hears who is on the legacy side; both hear them leave."""

    async def check() -> None:
        async with opened(stack) as pair:
            await crossed(pair)
            state = pair.channel.presence_state
            await eventually(lambda: str(pair.owner) in state(), "the owner in the channel's presence")
            await pair.channel.track({"userId": str(pair.client)})
            await eventually(lambda: pair.shown("presence", userId=str(pair.client), isOnline=True), "the client")
            await pair.channel.untrack()
            await eventually(lambda: pair.shown("presence", userId=str(pair.client), isOnline=False), "its leave")
            await pair.socket.disconnect()
            await eventually(lambda: str(pair.owner) not in state(), "the owner's leave")

    asyncio.run(check())
