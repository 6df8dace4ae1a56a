"""A customer on WhatsApp and an agent on the API, over real processes, while the bridge is killed."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from realtime_bridge.wuzapi.queue import LEASE_S
from tests.acceptance.stack import Stack, running
from tests.servers.wuzapi_server import HMAC_KEY, TOKEN, WuzapiServer, form_body, message, receipt, sign
from tests.waiting import wait_for

SECRETS_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
PHONE = "5491155553934"
REPLIES = 20
SENT_TIMEOUT_S = LEASE_S + 60.0  # what a bridge held when it was killed waits for the end of its lease


@pytest.fixture
def server() -> Iterator[WuzapiServer]:
    """A WUZAPI server on a thread of its own, because everything else here waits."""
    loop, started, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    server = WuzapiServer()

    async def serve() -> None:
        async with server.serve():
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(10)
    yield server
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


class Desk:
    """An agent's side: the REST API."""

    def __init__(self, stack: Stack, key: str) -> None:
        self._url = stack.ready["gatewayUrl"]
        self._session = requests.Session()
        self._session.headers["X-API-Key"] = key

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._session.request(method, f"{self._url}/api/v1/chat{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()["data"]

    def hear(self, path: str, document: dict[str, Any]) -> str:
        """Be WUZAPI: send a signed webhook; return what became of it."""
        body, content_type = form_body(document)
        headers = {"Content-Type": content_type, "x-hmac-signature": sign(body)}
        answer = requests.post(self._url + path, data=body, headers=headers, timeout=30)
        assert answer.ok, answer.text
        return str(answer.json()["data"]["result"])


@contextlib.contextmanager
def whatsapp_stack(directory: Path, server: WuzapiServer) -> Iterator[Stack]:
    variables = {"CROSSFADE_SECRETS_KEY": SECRETS_KEY, "CROSSFADE_WUZAPI_URLS": server.url}
    with running(directory / "data", environment=variables) as stack:
        yield stack


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_conversation_between_a_phone_and_the_api(tmp_path: Path, server: WuzapiServer) -> None:
    """The customer writes, the agent answers; after a killed bridge and lost answers the phone shows each once."""
    with whatsapp_stack(tmp_path, server) as stack:
        desk = Desk(stack, stack.create_key(scopes="chat:read,chat:write,webhooks:manage"))
        new = {"name": "whatsapp", "baseUrl": server.url, "token": TOKEN, "hmacKey": HMAC_KEY}
        hook = desk.call("POST", "/channels", new)["webhookPath"]
        assert desk.hear(hook, message("IN1", "is anybody there?")) == "stored"
        (conversation,) = [c for c in desk.call("GET", "/conversations") if c["channel"] == "whatsapp"]
        path = f"/conversations/{conversation['id']}/messages"
        for number in range(REPLIES):
            desk.call("POST", path, {"content": f"reply {number}"})
            if number == REPLIES // 2:
                server.answers_to_lose = 2
                os.kill(stack.pids["bridge"], signal.SIGKILL)
        replies = [f"reply {number}" for number in range(REPLIES)]
        wait_for(lambda: server.shown(PHONE) == replies, "every reply on the phone", SENT_TIMEOUT_S)

        def sent() -> list[str]:
            shown = desk.call("GET", f"{path}?limit=100")
            return [m["providerMessageId"] for m in shown if m["direction"] == "outgoing" and m["status"] == "sent"]

        wait_for(lambda: len(sent()) == REPLIES, "every reply to be sent", SENT_TIMEOUT_S)
        assert desk.hear(hook, receipt("Read", *sent())) == "moved"
        assert {m["status"] for m in desk.call("GET", f"{path}?limit=100") if m["direction"] == "outgoing"} == {"read"}
        last_seq = desk.call("GET", f"/conversations/{conversation['id']}")["lastSeq"]
        assert last_seq == 1 + REPLIES * 3  # the question; each reply, sent and read
