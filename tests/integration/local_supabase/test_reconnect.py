"""Postgres goes away and comes back; the endpoint stays, and broadcasts from the database arrive again."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psycopg
import pytest

from ops.machine.postgres import EmbeddedPostgres
from tests.integration.local_supabase.serving import (
    eventually,
    heartbeat,
    join,
    project_database,
    read_until,
    serving,
    socket_to,
    token,
)

BACK_WITHIN_S = 3.0


@pytest.fixture
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server that a test may stop without troubling others."""
    with tempfile.TemporaryDirectory(prefix="crossfade-tests-") as directory:
        server = EmbeddedPostgres(Path(directory) / "data", durable=False)
        server.start()
        yield server
        server.stop()


def test_broadcasts_from_the_database_survive_a_restart_of_postgres(own_server: EmbeddedPostgres) -> None:
    """The socket stays open, the health check tells, and the stream is back soon after the server."""

    async def play(url: str) -> None:
        async with serving(url) as endpoint, socket_to(endpoint, token("service_role")) as connection:
            assert (await join(connection, "room", private=True))["status"] == "ok"
            await asyncio.to_thread(own_server.stop)
            await eventually(lambda: not endpoint.project.stream.connected.is_set())
            assert await health(endpoint.url) == 503
            await heartbeat(connection, "still-here")
            refused = await join(connection, "another", private=True)
            assert refused["response"]["reason"].startswith("UnableToConnectToProject")
            await asyncio.to_thread(own_server.start)
            began = time.monotonic()
            await eventually(endpoint.project.stream.connected.is_set)
            assert time.monotonic() - began < BACK_WITHIN_S
            assert await health(endpoint.url) == 200
            await asyncio.to_thread(send, url, {"n": 1})
            frame = await asyncio.wait_for(connection.recv(decode=False), 5)
            assert b'"n": 1' in frame
            assert (await join(connection, "another", private=True))["status"] == "ok"

    with project_database(own_server) as url:
        asyncio.run(play(url))


def test_changes_of_tables_go_on_after_a_restart_of_postgres(own_server: EmbeddedPostgres) -> None:
    """A subscription made before the restart gets the changes after it."""

    async def play(url: str) -> None:
        async with serving(url) as endpoint, socket_to(endpoint) as connection:
            await join(connection, "room", postgres_changes=[{"event": "*", "schema": "public", "table": "open_items"}])
            await read_until(connection, lambda frame: frame[3] == "system")
            await asyncio.to_thread(own_server.stop)
            await asyncio.to_thread(own_server.start)
            streams = (endpoint.project.stream, endpoint.project.changes.stream)
            await eventually(lambda: all(stream.connected.is_set() for stream in streams))
            await asyncio.to_thread(execute, url, "insert into public.open_items (label) values ('after')")
            change = await read_until(connection, lambda frame: frame[3] == "postgres_changes")
            assert change[4]["data"]["record"]["label"] == "after"

    with project_database(own_server) as url:
        asyncio.run(play(url))


def send(url: str, payload: object) -> None:
    execute(url, "select realtime.send(%s::jsonb, 'e', 'room', true)", json.dumps(payload))


def execute(url: str, statement: str, *values: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode(), values or None)


async def health(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/healthcheck") as response:
        return response.status
