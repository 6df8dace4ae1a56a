"""A message that is replayed to a channel and reaches it live at the same moment."""

import asyncio
import json
import uuid

import psycopg

from ops.local_supabase.endpoint import Endpoint
from ops.local_supabase.wire.frames import Encoding
from ops.local_supabase.wire.messages import UserFanout
from tests.integration.local_supabase.serving import broadcast, heartbeat, join, reply_to, serving, socket_to, token

TOPIC = "replayed-room"


def test_a_message_that_arrives_live_during_a_replay_comes_once_and_first_as_replay(project_url: str) -> None:
    """The live copy waits for the stored messages and is dropped when it was among them; later ones follow in order."""
    stored, later = str(uuid.uuid4()), str(uuid.uuid4())

    async def play() -> None:
        async with serving(project_url) as endpoint:
            await asyncio.to_thread(store, project_url, stored)
            meanwhile = asyncio.create_task(publish_as_soon_as_joined(endpoint, stored, later))
            async with socket_to(endpoint, token("service_role")) as connection:
                request = {"private": True, "broadcast": {"replay": {"since": 0, "limit": 5}}}
                frame = ["1", TOPIC, f"realtime:{TOPIC}", "phx_join", {"config": request}]
                await connection.send(json.dumps(frame))
                await reply_to(connection, TOPIC)
                replayed = json.loads(await connection.recv())
                assert replayed[4]["meta"] == {"id": stored, "replayed": True}
                live = await connection.recv()
                assert isinstance(live, bytes)
                assert later.encode() in live
                await meanwhile
                await heartbeat(connection, "nothing-else")

    asyncio.run(play())


def test_a_channel_without_replay_hears_its_own_messages_at_once(project_url: str) -> None:
    """Nothing is held back when nothing is replayed."""

    async def play() -> None:
        async with serving(project_url) as endpoint, socket_to(endpoint) as connection:
            await join(connection, "plain", broadcast={"self": True})
            await broadcast(connection, "plain", {"n": 1}, "m")
            assert json.loads(await connection.recv())[4]["payload"] == {"n": 1}

    asyncio.run(play())


async def publish_as_soon_as_joined(endpoint: Endpoint, *message_ids: str) -> None:
    """Publish while the join still looks for stored messages."""
    hub = endpoint.project.context.hub
    while not hub.listeners(True, TOPIC):  # noqa: ASYNC110 - the moment in between is the point
        await asyncio.sleep(0)
    for message_id in message_ids:
        message = UserFanout(f"realtime:{TOPIC}", "e", b"{}", Encoding.JSON, message_id=message_id)
        hub.publish(True, TOPIC, message)


def store(url: str, message_id: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "insert into realtime.messages (id, topic, extension, event, payload, private)"
            " values (%s, %s, 'broadcast', 'e', '{}', true)",
            (message_id, TOPIC),
        )
