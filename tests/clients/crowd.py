"""The same crowd as chat/crowd.mjs, on the official Python clients: PyPI `realtime` and `python-socketio`.

argv[1] and stdin as there.
"""

import asyncio
import json
import logging
import random
import sys
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import aiohttp
import socketio
from realtime import AsyncRealtimeClient, RealtimeChannelOptions, RealtimeSubscribeStates

Json = dict[str, Any]
RETRY_S = 0.25


def say(**line: object) -> None:
    print(json.dumps({"at": time.time(), **line}), flush=True)  # noqa: T201 - this is how it speaks


class Crowd:
    """What all users share: configuration, the HTTP session, and whether they still talk."""

    def __init__(self, config: Json, http: aiohttp.ClientSession) -> None:
        self.config = config
        self.http = http
        self.hushed = asyncio.Event()

    async def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """Return the answer; asks until there is one."""
        while True:
            try:
                async with self.http.request(method, f"/api/v1/chat{path}", json=body) as answer:
                    if answer.ok:
                        return dict(await answer.json())
                    say(type="status", error=f"HTTP {answer.status} {await answer.text()}")
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(RETRY_S)


class Legacy:
    provider = "socketio"

    def __init__(self, user: "User", session: Json) -> None:
        self._user = user
        self._session = session
        self._joined = asyncio.Event()
        self._socket = socketio.AsyncClient(reconnection_delay=0.5, reconnection_delay_max=1.5)
        self._socket.on("connect", self._connected)
        self._socket.on("message", lambda frame: user.live(int(frame["conversationId"]), frame, self.provider))
        self._socket.on("rollout.changed", lambda notice: user.ask("told", notice["version"]))

    async def join(self) -> None:
        place = self._session if self._session["provider"] == self.provider else self._session["standby"]
        url = place["url"] or self._user.crowd.config["bridgeUrl"]
        while True:
            try:
                await self._socket.connect(url, auth={"token": self._session["token"]}, socketio_path=place["path"])
            except socketio.exceptions.ConnectionError:
                await asyncio.sleep(RETRY_S)
            else:
                break
        await self._joined.wait()

    async def send(self, conversation_id: int, content: str, client_message_id: str) -> Json:
        body = {"conversationId": str(conversation_id), "content": content, "clientMessageId": client_message_id}
        answer: Json = await self._socket.call("message", body, timeout=5)
        if not answer.get("ok"):
            raise ConnectionError(answer)
        return answer

    async def close(self) -> None:
        await self._socket.disconnect()

    async def _connected(self) -> None:
        for conversation_id in self._user.conversations:
            try:
                await self._socket.call("subscribe:conversation", str(conversation_id), timeout=10)
            except socketio.exceptions.SocketIOError:
                return  # gone again; the next connection subscribes
        if self._joined.is_set():
            self._user.reconnected()
        self._joined.set()


class Supabase:
    provider = "supabase"

    def __init__(self, user: "User", session: Json) -> None:
        self._user = user
        self._session = session
        url, key = f"{session['url']}/realtime/v1", session["publicKey"]
        self._client = AsyncRealtimeClient(url, key, max_retries=1_000_000, initial_backoff=1)  # as in the README

    async def join(self) -> None:
        await self._client.connect()
        await self._client.set_auth(self._session["token"])
        topics = [topic for topic in self._session["topics"] if not topic.startswith("presence:")]
        await asyncio.gather(*(self._join_topic(topic) for topic in topics))

    async def send(self, conversation_id: int, content: str, client_message_id: str) -> Json:
        body = {"content": content, "clientMessageId": client_message_id, "senderId": self._user.id}
        body["direction"] = "incoming"  # as the legacy side writes it for a client: a resend over here says the same
        answer = await self._user.crowd.call("POST", f"/conversations/{conversation_id}/messages", body)
        return dict(answer["data"])

    async def close(self) -> None:
        await self._client.close()

    async def _join_topic(self, topic: str) -> None:
        joined = asyncio.Event()

        def told(state: RealtimeSubscribeStates, error: Exception | None) -> None:
            if state is not RealtimeSubscribeStates.SUBSCRIBED:
                say(type="status", user=self._user.id, topic=topic, error=f"{state} {error}")
            elif joined.is_set():
                self._user.reconnected()
            else:
                joined.set()

        options: RealtimeChannelOptions = {"config": {"private": True, "broadcast": None, "presence": None}}
        channel = self._client.channel(topic, options)
        await channel.on_broadcast("*", lambda message: self._heard(topic, message)).subscribe(told)
        await joined.wait()

    def _heard(self, topic: str, message: Any) -> None:
        if message["event"] == "rollout.changed":
            self._user.ask("told", message["payload"]["version"])
        elif message["event"] == "message.new" and topic.startswith("conversation:"):
            self._user.live(int(topic.removeprefix("conversation:")), message["payload"], self.provider)


class User:
    def __init__(self, crowd: Crowd, user: Json) -> None:
        self.crowd = crowd
        self.id: str = user["id"]
        self.conversations: list[int] = user["conversations"]
        self._last_seq = dict.fromkeys(self.conversations, 0)
        self._shown: set[str] = set()
        self._keeps_standby: bool = user["keepsStandby"]
        self._open: dict[str, Legacy | Supabase] = {}
        self._side: Legacy | Supabase | None = None
        self._jobs: asyncio.Queue[tuple[int, Json | None, str]] = asyncio.Queue()
        self._wishes: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self._is_in = asyncio.Event()

    async def run(self) -> None:
        self.ask("start")
        async with asyncio.TaskGroup() as tasks:
            for part in (self._work(), self._follow(), self._talk(), self._ask_again()):
                tasks.create_task(part)

    async def wait_until_in(self) -> None:
        await self._is_in.wait()

    def ask(self, why: str, version: int = 0) -> None:
        self._wishes.put_nowait((why, version))

    def live(self, conversation_id: int, message: Mapping[str, Any], provider: str) -> None:
        self._jobs.put_nowait((conversation_id, dict(message), provider))

    def reconnected(self) -> None:
        self._catch_up()
        self.ask("reconnected")

    def _catch_up(self) -> None:
        for conversation_id in self.conversations:
            self._jobs.put_nowait((conversation_id, None, "catch-up"))

    async def _follow(self) -> None:
        while True:
            why, version = await self._wishes.get()
            session = await self._get_session(version)
            standby = session["standby"] if self._keeps_standby and session["provider"] == "supabase" else None
            wanted = [session["provider"], *([standby["provider"]] if standby else [])]
            missing = [provider for provider in wanted if provider not in self._open]
            for provider in missing:
                self._open[provider] = Supabase(self, session) if provider == "supabase" else Legacy(self, session)
                await self._open[provider].join()
            if missing:
                self._catch_up()  # joined first, then fetched: nothing can fall between
            before, self._side = self._side, self._open[session["provider"]]
            for provider in [provider for provider in self._open if provider not in wanted]:
                await self._open.pop(provider).close()
            if self._side is not before:
                say(type="joined", user=self.id, provider=session["provider"], why=why, version=session["version"])
            self._is_in.set()

    async def _get_session(self, version: int) -> Json:
        """Return an answer that knows of the announced `version`: the gateway may hear of it a little later."""
        for _ in range(50):
            session = dict((await self.crowd.call("POST", "/realtime/sessions", {"userId": self.id}))["data"])
            if session["version"] >= version:
                break
            await asyncio.sleep(0.1)
        return session

    async def _work(self) -> None:
        """One thing at a time: a catch-up ends before the next live message is looked at."""
        while True:
            conversation_id, message, via = await self._jobs.get()
            if message is None or message["seq"] > self._last_seq[conversation_id] + 1:
                await self._fetch_missed(conversation_id)
            if message is not None:
                self._show(conversation_id, message, via)

    async def _fetch_missed(self, conversation_id: int) -> None:
        has_more = True
        while has_more:
            query = f"after_seq={self._last_seq[conversation_id]}&limit=100"
            answer = await self.crowd.call("GET", f"/conversations/{conversation_id}/messages?{query}")
            for message in answer["data"]:
                self._show(conversation_id, message, "catch-up")
            has_more = answer["pagination"]["hasMore"]

    def _show(self, conversation_id: int, message: Json, via: str) -> None:
        kind = "repeat" if message["eventId"] in self._shown else "message"
        facts = {"conversationId": conversation_id, "seq": message["seq"], "eventId": message["eventId"], "via": via}
        say(type=kind, user=self.id, **facts)
        self._shown.add(message["eventId"])
        self._last_seq[conversation_id] = max(self._last_seq[conversation_id], message["seq"])

    async def _ask_again(self) -> None:
        while True:
            await asyncio.sleep(self.crowd.config["askAgainMs"] / 1_000 * random.uniform(0.5, 1.5))
            self.ask("time")

    async def _talk(self) -> None:
        await self._is_in.wait()
        pace_s = self.crowd.config["paceMs"] / 1_000
        await asyncio.sleep(random.uniform(0, pace_s))
        number = 0
        while not self.crowd.hushed.is_set():
            await self._send(self.conversations[number % len(self.conversations)], f"{number} of {self.id}")
            number += 1
            await asyncio.sleep(pace_s * random.uniform(0.5, 1.5))
        say(type="hushed", user=self.id)

    async def _send(self, conversation_id: int, content: str) -> None:
        client_message_id = str(uuid4())
        tries = 0
        while True:
            tries += 1
            try:
                assert self._side
                receipt = await self._side.send(conversation_id, content, client_message_id)
            except (socketio.exceptions.SocketIOError, ConnectionError, OSError, TimeoutError):
                await asyncio.sleep(0.2)
                continue
            facts = {"seq": receipt["seq"], "eventId": receipt["eventId"], "tries": tries}
            say(type="sent", user=self.id, conversationId=conversation_id, **facts)
            return


async def main(config: Json) -> None:
    logging.getLogger("realtime").setLevel(logging.CRITICAL)
    timeout = aiohttp.ClientTimeout(total=10)
    headers = {"X-API-Key": config["apiKey"]}
    async with aiohttp.ClientSession(config["gatewayUrl"], timeout=timeout, headers=headers) as http:
        crowd = Crowd(config, http)
        users = [User(crowd, user) for user in config["users"]]
        tasks = [asyncio.create_task(user.run()) for user in users]
        await asyncio.gather(*(user.wait_until_in() for user in users))
        say(type="ready")
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.readline()
        crowd.hushed.set()
        await reader.read()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
