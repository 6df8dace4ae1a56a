"""A project database of its own for a test, an endpoint on it in this process, and raw sockets to it."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import psycopg
from psycopg import sql
from websockets.asyncio.client import ClientConnection, connect

from ops.local_supabase.database import apply_shape
from ops.local_supabase.endpoint import Endpoint
from ops.local_supabase.project import Project
from ops.local_supabase.settings import Settings, Timings
from ops.local_supabase.sockets.socket import RESTART
from ops.local_supabase.wire.messages import TextFanout
from ops.machine.postgres import EmbeddedPostgres
from tests.conftest import drop_database

SECRET = "replay-secret-of-at-least-thirty-two-bytes"
WAIT_S = 10.0
QUICK = Timings(connect_error_backoff_s=0.01, channel_error_backoff_s=0.01)
PROJECT_FIXTURE = (Path(__file__).parent / "project_fixture.sql").read_bytes()
_numbers = itertools.count(1)


@contextmanager
def project_database(server: EmbeddedPostgres) -> Iterator[str]:
    """URL, as the superuser, of a fresh database in the Supabase shape with the recorded project's tables."""
    name = f"served_{next(_numbers)}"
    execute(server, sql.SQL("create database {}").format(sql.Identifier(name)))
    apply_shape(server.admin_url(name))
    with psycopg.connect(server.admin_url(name), autocommit=True) as connection:
        connection.execute(PROJECT_FIXTURE)
    yield server.admin_url(name)
    drop_database(server, name)


def execute(server: EmbeddedPostgres, statement: sql.Composed) -> None:
    with psycopg.connect(server.admin_url(), autocommit=True) as connection:
        connection.execute(statement)


@asynccontextmanager
async def serving(database_url: str, **changes: Any) -> AsyncIterator[Endpoint]:
    """An endpoint on a free port with short refusals; `changes` are further settings."""
    settings = Settings(database_url=database_url, port=0, jwt_secret=SECRET, timings=QUICK)
    endpoint = Endpoint(replace(settings, **changes))
    await endpoint.start()
    try:
        yield endpoint
    finally:
        await endpoint.stop()


def token(role: str = "anon", **claims: Any) -> str:
    return jwt.encode({"role": role, "exp": int(time.time()) + 3600, **claims}, SECRET, "HS256")


@asynccontextmanager
async def socket_to(endpoint: Endpoint, key: str | None = None, vsn: str = "2.0.0") -> AsyncIterator[ClientConnection]:
    url = f"{endpoint.url.replace('http', 'ws', 1)}/realtime/v1/websocket?apikey={key or token()}&vsn={vsn}"
    async with connect(url, max_size=None, ping_interval=None, compression=None, proxy=None) as connection:
        yield connection


async def join(connection: ClientConnection, name: str, **config: Any) -> Any:
    """Join a topic and return the reply's payload."""
    await connection.send(json.dumps(["1", name, f"realtime:{name}", "phx_join", {"config": config}]))
    return await reply_to(connection, name)


async def broadcast(connection: ClientConnection, name: str, payload: Any, ref: str) -> None:
    body = {"type": "broadcast", "event": "e", "payload": payload}
    await connection.send(json.dumps(["1", ref, f"realtime:{name}", "broadcast", body]))


async def reply_to(connection: ClientConnection, ref: str) -> Any:
    """Read until the reply to a ref and return its payload."""
    frame = await read_until(connection, lambda frame: frame[1] == ref and frame[3] == "phx_reply")
    return frame[4]


async def heartbeat(connection: ClientConnection, ref: str) -> None:
    """Send a heartbeat and wait for its answer, whatever comes before."""
    await connection.send(json.dumps([None, ref, "phoenix", "heartbeat", {}]))
    await reply_to(connection, ref)


async def read_until(connection: ClientConnection, wanted: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(WAIT_S):
        while True:
            data = await connection.recv()
            if isinstance(data, str) and wanted(frame := json.loads(data)):
                return frame


async def eventually(condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for is not ours to signal
            await asyncio.sleep(0.01)


async def disconnect_all(project: Project) -> None:
    """What the platform does when settings change: a system message without `channel`, then 1012."""
    payload = {"message": "Server requested disconnect", "status": "ok", "extension": "system"}
    for socket in project.sockets:
        for channel in list(socket.channels.values()):
            message = TextFanout(channel.topic, "system", payload)
            socket.enqueue(message.encoded(socket.wire.version))
    await asyncio.sleep(0)
    await asyncio.gather(*(socket.close(RESTART) for socket in list(project.sockets)))
