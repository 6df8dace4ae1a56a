"""What a project may send and receive in a second: who is refused, and what is dropped without a word."""

import asyncio
import json
from typing import Any

import aiohttp
import psycopg
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection

from ops.local_supabase.endpoint import Endpoint
from ops.local_supabase.settings import Limits, Timings
from ops.local_supabase.sockets.rates import RateCounter
from tests.integration.local_supabase.recordings.scenarios import load_all
from tests.integration.local_supabase.serving import eventually, join, serving, socket_to, token

LIMIT = 5
TICK_S = 3600  # the tests tick themselves
LIMITED: dict[str, Any] = {
    "limits": Limits(max_events_per_second=LIMIT),
    "timings": Timings(rate_tick_s=TICK_S),
}
REDUCE, OVER = "please reduce the batch size", "You have exceeded your rate limit"


def recorded(words: str) -> dict[str, Any]:
    """Return the real server's answer of that text."""
    (scenario,) = [one for one in load_all() if one.name == "11a_events_limit.v2"]
    for step in scenario.steps:
        if step.kind == "http_response" and words in str(step.data):
            return {**step.data, "headers": set(step.data["headers"])}
    raise AssertionError(words)


def measure(events: RateCounter, per_s: float) -> None:
    """Have the next tick find that average; it is the second, and the first has found nothing."""
    events.add(int(per_s * 2 * TICK_S))
    events.tick()


async def post(endpoint: Endpoint, count: int) -> dict[str, Any]:
    """Post a batch and return the answer in the form of `recorded`."""
    messages = [{"topic": "room", "event": "e", "payload": {"n": 0}}] * count
    headers = {"Authorization": f"Bearer {token()}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{endpoint.url}/realtime/v1/api/broadcast", json={"messages": messages}) as answer,
    ):
        assert answer.headers["x-rate-limit"] == str(LIMIT)
        names = {name.lower() for name in answer.headers} & recorded(REDUCE)["headers"]
        return {"status": answer.status, "headers": names, "body": json.loads(await answer.text() or "null")}


def write(url: str, number: int) -> list[str]:
    """Broadcast from the database and return what the writer was told."""
    told: list[str] = []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: told.append(str(notice.message_primary)))
        connection.execute("select realtime.send(%s::jsonb, 'e', 'room', false)", (json.dumps({"n": number}),))
    return told


async def hear(connection: ClientConnection) -> int:
    """Return the number in the next broadcast from the database: a binary frame that ends with its JSON."""
    frame = await asyncio.wait_for(connection.recv(decode=False), 10)
    return int(json.loads(frame[frame.rindex(b"{") :])["n"])


def test_over_the_rate_rows_are_dropped_and_only_the_servers_log_knows(project_url: str) -> None:
    """Neither the writer nor who listens is told; from the tick on that finds less, rows come out again."""

    async def play() -> None:
        async with serving(project_url, **LIMITED) as endpoint, socket_to(endpoint) as connection:
            events = endpoint.project.context.rates.events
            await join(connection, "room")
            await asyncio.to_thread(write, project_url, 1)
            assert await hear(connection) == 1
            measure(events, LIMIT + 0.5)
            with capture_logs() as log:
                assert await asyncio.to_thread(write, project_url, 2) == []
                await eventually(lambda: bool(log))
            assert (log[0]["log_level"], log[0]["event"], log[0]["reason"]) == (
                "error",
                "UnableToBroadcastChanges",
                OVER,
            )
            events.tick()  # the same over one tick more: 3.7 a second
            await asyncio.to_thread(write, project_url, 3)
            assert await hear(connection) == 3

    asyncio.run(play())


def test_a_row_counts_like_a_batch_of_one(project_url: str) -> None:
    """It is dropped when the running average leaves no room for it."""

    async def play() -> None:
        async with serving(project_url, **LIMITED) as endpoint, socket_to(endpoint) as connection:
            await join(connection, "room")
            events = endpoint.project.context.rates.events
            measure(events, LIMIT - 0.9)
            with capture_logs() as log:
                assert await asyncio.to_thread(write, project_url, 1) == []
                await eventually(lambda: bool(log))
            assert log[0]["reason"].endswith(REDUCE)
            events.tick()
            await asyncio.to_thread(write, project_url, 2)
            assert await hear(connection) == 2

    asyncio.run(play())


def test_a_batch_that_would_pass_the_limit_is_refused_whole(project_url: str) -> None:
    """As recorded, with status, text and headers; what fits goes through, and deliveries count like sendings."""

    async def play() -> None:
        async with serving(project_url, **LIMITED) as endpoint, socket_to(endpoint) as connection:
            events = endpoint.project.context.rates.events
            await join(connection, "room")
            assert await post(endpoint, LIMIT + 1) == recorded(REDUCE)
            assert (await post(endpoint, LIMIT))["status"] == 202
            events.tick()
            assert events.average_per_s * 2 * TICK_S == 2 * LIMIT
            events.average_per_s = 2.0
            assert await post(endpoint, LIMIT - 1) == recorded(REDUCE)
            assert (await post(endpoint, LIMIT - 2))["status"] == 202
            events.average_per_s = LIMIT + 0.1
            assert await post(endpoint, 1) == recorded(OVER)

    asyncio.run(play())


def test_a_slot_that_comes_late_has_missed_what_was_written_before(project_url: str) -> None:
    """A client is joined, and what the database sends is lost until the slot is there."""

    async def play() -> None:
        timings = Timings(replication_delay_s=1.0)
        async with serving(project_url, timings=timings) as endpoint, socket_to(endpoint) as connection:
            await join(connection, "room")
            await asyncio.to_thread(write, project_url, 1)
            assert not endpoint.project.stream.connected.is_set()
            await eventually(endpoint.project.stream.connected.is_set)
            await asyncio.to_thread(write, project_url, 2)
            assert await hear(connection) == 2

    asyncio.run(play())
