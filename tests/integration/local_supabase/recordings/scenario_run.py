"""Plays what was sent in a recorded scenario against our endpoint, and compares what comes with the recording."""

import asyncio
import json
from collections import defaultdict
from typing import Any

import aiohttp
import psycopg

from ops.local_supabase.endpoint import Endpoint
from tests.integration.local_supabase.recordings.peers import Peer, Received, encode_frame, open_peer, request
from tests.integration.local_supabase.recordings.recorded_scenarios import (
    DIRECTORY,
    USER,
    Answer,
    Names,
    RecordedStep,
    difference,
    load,
)
from tests.integration.local_supabase.serving import join, socket_to, token

FRAMES_WITHIN_S = 8.0
SETTLE_S = 0.3  # after the last step: what should not come would have come
_KINDS = {"text": "txt", "binary": "bin", "close": "close"}


class ScenarioRun:
    """One scenario against one endpoint; `problems` has a line for each answer that differs."""

    def __init__(self, name: str, endpoint: Endpoint, database_url: str, session: aiohttp.ClientSession) -> None:
        self.problems: dict[tuple[str, str], str] = {}
        self.compared = 0
        self._recording = load(name)
        self._waiting = list(self._recording.steps)
        self._endpoint = endpoint
        self._database_url = database_url
        self._session = session
        self._peers: dict[str, Peer] = {}
        self._versions: dict[str, str] = {}
        self._answers: dict[str, list[Answer]] = defaultdict(list)
        self._theirs, self._ours = Names(), Names()

    def noted(self, kind: str) -> list[Any]:
        """What the sender of the recording wrote down beside the answers."""
        return [value for noted, value in self._recording.notes if noted == kind]

    def statement(self, name: str) -> str:
        """A statement that is too long for a line, from its file."""
        return (DIRECTORY / name).read_text(encoding="utf-8").replace("<user>", USER)

    async def open(self, label: str, version: str = "2.0.0") -> None:
        query = {"apikey": token(), "vsn": version}
        peer = await open_peer(self._endpoint.url, {"path": "/realtime/v1/websocket", "query": query})
        assert isinstance(peer, Peer), peer
        self._peers[label], self._versions[label] = peer, version

    async def join(self, label: str, topic: str, config: dict[str, Any], access_token: str | None = None) -> None:
        payload = {"config": config} if access_token is None else {"config": config, "access_token": access_token}
        frame = encode_frame(self._versions[label], f"realtime:{topic}", "phx_join", payload, "1", "1")
        await self._peers[label].send(frame)

    async def post(self, body: Any, key: str | None = None) -> None:
        headers = {"Content-Type": "application/json", "apikey": key or token("service_role")}
        data = {"method": "POST", "path": "/realtime/v1/api/broadcast", "headers": headers}
        answer = await request(self._session, self._endpoint.url, data, json.dumps(body).encode())
        kind = answer["headers"].get("content-type", "").partition(";")[0]
        text = answer["body"].decode()
        content = json.loads(text) if kind == "application/json" else ["TEXT", text]
        self._answers["http"].append(("resp", [answer["status"], kind if text else "", content]))

    async def sql(self, statement: str, role: str | None = None) -> None:
        connect = psycopg.AsyncConnection.connect
        async with await connect(self._database_url, autocommit=True) as connection:
            if role is not None:
                await connection.execute("select set_config('request.jwt.claims', %s, false)", (f'{{"sub":"{USER}"}}',))
                await connection.execute(f"set role {role}".encode())
            try:
                await connection.execute(statement.encode())
            except psycopg.Error as error:
                self._answers["db"].append(("sqlerr", [error.sqlstate, error.diag.message_primary]))

    async def caught_up(self) -> None:
        """Wait until what was written before would have been heard."""
        async with socket_to(self._endpoint) as connection:
            await join(connection, "caught-up")
            await self.sql("select realtime.send('{}','e','caught-up',false)")
            await asyncio.wait_for(connection.recv(), FRAMES_WITHIN_S)

    async def step(self, name: str) -> None:
        """Wait for what the recording has for this step, and compare; steps that it calls otherwise are passed over."""
        step = next(step for step in self._waiting if step.name == name)
        del self._waiting[: self._waiting.index(step) + 1]
        for label, expected in step.answers.items():
            received = [await self._next(label) for _ in expected]
            self._compare(step, label, expected, [answer for answer in received if answer is not None])

    async def end(self) -> None:
        """Note what came beyond the recording, then close."""
        await asyncio.sleep(SETTLE_S)
        for label, peer in self._peers.items():
            if not peer.received.empty():
                self.problems["end", label] = f"unexpected {_answer(peer.received.get_nowait())}"
            await peer.end()

    async def _next(self, label: str) -> Answer | None:
        if label not in self._peers:
            return self._answers[label].pop(0) if self._answers[label] else None
        patience_s = 0.3 if self.problems else FRAMES_WITHIN_S
        try:
            return _answer(await asyncio.wait_for(self._peers[label].received.get(), patience_s))
        except TimeoutError:
            return None

    def _compare(self, step: RecordedStep, label: str, expected: list[Answer], received: list[Answer]) -> None:
        theirs = [[kind, self._theirs.plain(content)] for kind, content in expected]
        ours = [[kind, self._ours.plain(content)] for kind, content in received]
        self.compared += len(expected)
        if found := difference(theirs, ours):
            self.problems[step.name, label] = found


def _answer(received: Received) -> Answer:
    content = received.content
    if received.kind == "close":
        content = [content["code"], content["reason"]]
    elif received.kind == "binary":
        payload = content["payload"] if content["encoding"] else content["payload_hex"]
        content = {"enc": content["encoding"], "event": content["user_event"], "k": content["kind"], "payload": payload}
        content |= {"meta": received.content["metadata"], "topic": received.content["topic"]}
    return _KINDS[received.kind], content
