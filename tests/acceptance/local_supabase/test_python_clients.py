"""The official Python clients, `realtime` and `supabase`, unmodified."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from realtime import (
    AsyncRealtimeChannel,
    AsyncRealtimeClient,
    RealtimePostgresChangesListenEvent,
    RealtimeSubscribeStates,
)
from supabase import AuthApiError, acreate_client

from tests.acceptance.local_supabase.guest import Guest

WAIT_S = 15.0
# The client asks websockets for `ConnectionClosed.code`, which is deprecated; as an error it would end its listener.
pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")


def test_private_topics_are_joined_and_refused_by_policy(guest: Guest) -> None:
    """A topic with a policy says SUBSCRIBED; one without says CHANNEL_ERROR and why."""

    async def play(client: AsyncRealtimeClient) -> None:
        await subscribe(client.channel(guest.topic, private()))
        state, error = await outcome(client.channel("somebody-elses", private()))
        assert state is RealtimeSubscribeStates.CHANNEL_ERROR
        assert "Unauthorized" in str(error)

    run(guest, play)


def test_broadcasts_arrive_from_clients_database_and_http(guest: Guest) -> None:
    """Own copies, rows of realtime.send in order, HTTP batches and http_send all reach the channel."""

    async def play(client: AsyncRealtimeClient) -> None:
        channel = client.channel(guest.topic, private(broadcast={"self": True, "ack": True}))
        heard: list[Any] = []
        channel.on_broadcast("note", lambda message: heard.append(message["payload"]))
        await subscribe(channel)
        await channel.send_broadcast("note", {"by": "client"})
        await until(lambda: len(heard) == 1)
        for number in range(20):
            statement = "select realtime.send(%s::jsonb, 'note', %s)"
            await asyncio.to_thread(guest.execute, statement, [json.dumps({"number": number}), guest.topic])
        await until(lambda: len(heard) == 21)
        assert [message["number"] for message in heard[1:]] == list(range(20))
        body = {"messages": [{"topic": guest.topic, "event": "note", "payload": {"by": "batch"}, "private": True}]}
        assert await asyncio.to_thread(guest.post, body) == 202
        await channel.http_send("note", {"by": "http_send"})
        await until(lambda: [message.get("by") for message in heard[21:]] == ["batch", "http_send"])

    run(guest, play)


def test_presence_is_seen_by_others_and_ends_with_the_connection(guest: Guest) -> None:
    """Track, update and disconnect reach another client's presence state."""

    async def play(client: AsyncRealtimeClient) -> None:
        watching = client.channel("people", present_as("watcher"))
        watching.on_presence_sync(lambda: None)
        await subscribe(watching)
        async with connected(guest) as other:
            moving = other.channel("people", present_as("mover"))
            await subscribe(moving)
            await moving.track({"at": "door"})
            await until(lambda: "mover" in watching.presence_state())
            await moving.track({"at": "table"})
            await until(lambda: watching.presence_state()["mover"][0].get("at") == "table")
        await until(lambda: "mover" not in watching.presence_state())

    run(guest, play)


def test_postgres_changes_arrive_with_a_filter(guest: Guest) -> None:
    """Only rows that pass the filter arrive; updates and deletes carry the old key."""

    async def play(client: AsyncRealtimeClient) -> None:
        changes: list[Any] = []
        channel = client.channel("table")
        channel.on_postgres_changes(
            RealtimePostgresChangesListenEvent.Insert,
            changes.append,
            table=guest.table,
            schema="public",
            filter="label=eq.wanted",
        )
        channel.on_postgres_changes(
            RealtimePostgresChangesListenEvent.Delete, changes.append, table=guest.table, schema="public"
        )
        live: list[Any] = []
        channel.on_system(live.append)
        await subscribe(channel)
        await until(lambda: bool(live))
        await asyncio.to_thread(guest.execute, f"insert into public.{guest.table} values (1, 'no'), (2, 'wanted')", [])
        await asyncio.to_thread(guest.execute, f"delete from public.{guest.table} where id = 2", [])
        await until(lambda: len(changes) == 2)
        assert changes[0]["data"]["record"] == {"id": 2, "label": "wanted"}
        assert changes[1]["data"]["old_record"] == {"id": 2}

    run(guest, play)


def test_an_expired_token_closes_the_channel_and_a_fresh_one_keeps_it(guest: Guest) -> None:
    """set_auth in time keeps a channel; without it the channel is closed when the token expires."""

    async def play(client: AsyncRealtimeClient) -> None:
        await client.set_auth(guest.token(ttl_s=3))
        kept, lost = client.channel(guest.topic, private()), client.channel("lost")
        heard: list[Any] = []
        kept.on_broadcast("late", heard.append)
        await subscribe(kept)
        await subscribe(lost)
        client.access_token = guest.token()
        await kept.push("access_token", {"access_token": client.access_token})
        await until(lambda: lost.is_closed)
        assert not kept.is_closed
        await asyncio.to_thread(guest.execute, "select realtime.send('{}'::jsonb, 'late', %s)", [guest.topic])
        await until(lambda: len(heard) == 1)

    run(guest, play)


def test_a_missed_message_is_replayed(guest: Guest) -> None:
    """A message of realtime.send from before the join comes again, marked as replayed."""

    async def play(client: AsyncRealtimeClient) -> None:
        since = int(time.time() * 1000)
        await asyncio.to_thread(guest.execute, "select realtime.send('{}'::jsonb, 'missed', %s)", [guest.topic])
        channel = client.channel(guest.topic, private(broadcast={"replay": {"since": since, "limit": 5}}))
        heard: list[Any] = []
        channel.on_broadcast("missed", heard.append)
        await subscribe(channel)
        await until(lambda: len(heard) == 1)
        assert heard[0]["meta"]["replayed"] is True

    run(guest, play)


def test_the_client_is_back_after_a_restart_of_the_endpoint(guest: Guest) -> None:
    """The socket is closed with 1012; the client reconnects, rejoins and hears again."""

    async def play(client: AsyncRealtimeClient) -> None:
        channel = client.channel(guest.topic, private())
        heard: list[Any] = []
        channel.on_broadcast("again", heard.append)
        await subscribe(channel)
        await asyncio.to_thread(guest.running.restart_endpoint)
        deadline = time.monotonic() + WAIT_S * 2
        while not heard and time.monotonic() < deadline:
            await asyncio.to_thread(guest.execute, "select realtime.send('{}'::jsonb, 'again', %s)", [guest.topic])
            await asyncio.sleep(0.2)
        assert heard

    run(guest, play)


def test_a_user_signs_up_in_and_out(guest: Guest) -> None:
    """supabase.auth: sign up, a wrong password, sign in, refresh, user, sign out."""

    async def play() -> None:
        client = await acreate_client(guest.running.facts.api_url, guest.running.facts.publishable_key)
        credentials: Any = {"email": guest.email, "password": "correct horse"}
        signed_up = await client.auth.sign_up(credentials)
        assert signed_up.session is not None
        with pytest.raises(AuthApiError, match="Invalid login credentials"):
            await client.auth.sign_in_with_password({"email": guest.email, "password": "wrong"})
        signed_in = await client.auth.sign_in_with_password(credentials)
        assert signed_in.session is not None
        refreshed = await client.auth.refresh_session()
        assert refreshed.session is not None
        assert refreshed.session.refresh_token != signed_in.session.refresh_token
        found = await client.auth.get_user()
        assert found is not None
        assert found.user.email == guest.email
        await client.auth.sign_out()
        with pytest.raises(AuthApiError):
            await client.auth.refresh_session(refreshed.session.refresh_token)
        await client.auth.close()

    asyncio.run(asyncio.wait_for(play(), 60))


def test_administrators_keep_users(guest: Guest) -> None:
    """supabase.auth.admin: who may be named in an account is changed, looked up page by page and deleted."""

    async def play() -> None:
        client = await acreate_client(guest.running.facts.api_url, guest.running.facts.secret_key)
        admin = client.auth.admin
        made = [(await admin.create_user({"email": f"{name}-{guest.email}"})).user for name in ("ana", "ben", "eva")]
        assert [user.id for user in await admin.list_users(page=1, per_page=2)] == [made[2].id, made[1].id]
        assert [user.id for user in await admin.list_users(page=2, per_page=1)] == [made[1].id]
        assert {user.id for user in made} <= {user.id for user in await admin.list_users()}
        account = {"chat_accounts": [str(uuid4())]}
        changed = await admin.update_user_by_id(made[0].id, {"app_metadata": account, "role": "service_role"})
        assert changed.user.app_metadata == made[0].app_metadata | account
        assert changed.user.role == "service_role"
        signed_in: Any = {"email": f"ben-{guest.email}", "password": "another horse"}
        await admin.update_user_by_id(made[1].id, {"password": signed_in["password"]})
        session = (await client.auth.sign_in_with_password(signed_in)).session
        assert session is not None
        await client.auth.sign_out({"scope": "local"})
        await admin.delete_user(made[1].id)
        with pytest.raises(AuthApiError, match="User not found"):
            await admin.get_user_by_id(made[1].id)
        with pytest.raises(AuthApiError, match="Invalid login credentials"):
            await client.auth.sign_in_with_password(signed_in)
        await admin.delete_user(made[2].id, should_soft_delete=True)
        assert (await admin.get_user_by_id(made[2].id)).user.email != made[2].email
        with pytest.raises(AuthApiError, match="page must be a number"):
            await admin.list_users(page=1, per_page=1_001)
        await client.auth.close()

    asyncio.run(asyncio.wait_for(play(), 60))


def test_a_signed_in_user_joins_their_own_topic(guest: Guest) -> None:
    """The supabase client hands its session's token to Realtime: the policy sees the user."""

    async def play() -> None:
        client = await acreate_client(guest.running.facts.api_url, guest.running.facts.anon_key)
        signed_up = await client.auth.sign_up({"email": guest.email, "password": "correct horse"})
        assert signed_up.user is not None
        topic = f"guest:{signed_up.user.id}"
        await client.realtime.connect()
        channel = client.channel(topic, private())
        heard: list[Any] = []
        channel.on_broadcast("hello", heard.append)
        await subscribe(channel)
        await asyncio.to_thread(guest.execute, "select realtime.send('{}'::jsonb, 'hello', %s)", [topic])
        await until(lambda: len(heard) == 1)
        await client.realtime.close()
        await client.auth.close()

    asyncio.run(asyncio.wait_for(play(), 60))


def private(**config: Any) -> Any:
    return {"config": {"private": True, **config}}


def present_as(key: str) -> Any:
    return {"config": {"presence": {"key": key, "enabled": True}}}


def run(guest: Guest, play: Callable[[AsyncRealtimeClient], Awaitable[None]]) -> None:
    """Play with a connected client, bounded."""

    async def bounded() -> None:
        async with connected(guest) as client:
            await play(client)

    asyncio.run(asyncio.wait_for(bounded(), 90))


@asynccontextmanager
async def connected(guest: Guest) -> AsyncIterator[AsyncRealtimeClient]:
    client = AsyncRealtimeClient(f"{guest.running.facts.api_url}/realtime/v1", guest.running.facts.anon_key)
    await client.connect()
    await client.set_auth(guest.token())
    try:
        yield client
    finally:
        await client.close()


async def subscribe(channel: AsyncRealtimeChannel) -> None:
    state, error = await outcome(channel)
    assert state is RealtimeSubscribeStates.SUBSCRIBED, error


async def outcome(channel: AsyncRealtimeChannel) -> tuple[RealtimeSubscribeStates, Exception | None]:
    decided: asyncio.Future[tuple[RealtimeSubscribeStates, Exception | None]] = (
        asyncio.get_running_loop().create_future()
    )

    def decide(state: RealtimeSubscribeStates, error: Exception | None) -> None:
        if not decided.done():
            decided.set_result((state, error))

    await channel.subscribe(decide)
    return await asyncio.wait_for(decided, WAIT_S)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - the client offers callbacks, not events
            await asyncio.sleep(0.01)
