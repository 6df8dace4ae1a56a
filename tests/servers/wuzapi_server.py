"""A WUZAPI server for tests: speaks its HTTP, and shows what phones would show. Shapes after its API.md and helpers.go.

A phone shows a message id once, as WhatsApp does; `requests` counts what was asked nevertheless.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, Self
from urllib.parse import urlencode

from aiohttp import web

TOKEN = "wuzapi-user-token"
HMAC_KEY = "an-hmac-key-of-at-least-32-characters"
USER_ID = "1"


class WuzapiServer:
    """Sends for one user, whose token is TOKEN; fails as told."""

    def __init__(self) -> None:
        self.url = ""
        self.phones: dict[str, dict[str, str]] = defaultdict(dict)
        """Phone number (or JID of a group) to message id to text, in the order of arrival."""
        self.requests: list[dict[str, Any]] = []
        self.answers_to_lose = 0
        """How many messages it sends and then cuts the connection, so that nobody knows."""
        self.failures: list[web.Response] = []
        """Answered first, one for each request, without sending."""
        self.refuses: set[str] = set()
        self.talks = asyncio.Event()
        self.talks.set()

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[Self]:
        application = web.Application()
        application.router.add_post("/chat/send/text", self._send_text)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _send_text(self, request: web.Request) -> web.Response:
        await self.talks.wait()
        if request.headers.get("Token") != TOKEN:
            return _answer(401, error="unauthorized")
        body = await request.json()
        self.requests.append(body)
        if self.failures:
            return self.failures.pop(0)
        if not body.get("Phone") or not body.get("Body"):
            return _answer(400, error="missing Phone or Body in Payload")
        if body["Phone"] in self.refuses:
            return _answer(400, error="could not parse Phone")
        self.phones[body["Phone"]].setdefault(body["Id"], body["Body"])
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            assert request.transport is not None
            request.transport.abort()
        sent = {"Details": "Sent", "Timestamp": "2026-11-20T10:00:00-03:00", "Id": body["Id"]}
        return _answer(200, data=sent)

    def shown(self, phone: str) -> list[str]:
        return list(self.phones[phone].values())


def _answer(status: int, **fields: Any) -> web.Response:
    return web.json_response({"code": status, "success": status == 200, **fields}, status=status)


def message(message_id: str, text: str = "hello", **info: Any) -> dict[str, Any]:
    """The event of a text from 5491155553934, as WUZAPI calls it; `info` replaces fields of `Info`."""
    sender = "5491155553934@s.whatsapp.net"
    return {
        "type": "Message",
        "event": {
            "Info": {
                "Chat": sender, "Sender": sender, "IsFromMe": False, "IsGroup": False, "AddressingMode": "pn",
                "SenderAlt": "", "RecipientAlt": "", "BroadcastListOwner": "", "BroadcastRecipients": None,
                "ID": message_id, "ServerID": 0, "Type": "text", "PushName": "Ana",
                "Timestamp": "2026-11-20T10:00:00-03:00", "Category": "", "Multicast": False, "MediaType": "",
                "Edit": "", "MsgBotInfo": {}, "MsgMetaInfo": {}, "VerifiedName": None, "DeviceSentMeta": None,
                **info,
            },
            "Message": {"conversation": text},
            "IsEphemeral": False, "IsViewOnce": False, "IsEdit": False, "RawMessage": {},
        },
    }  # fmt: skip


def receipt(state: str, *message_ids: str, chat: str = "5491155553934@s.whatsapp.net") -> dict[str, Any]:
    kind = {"Read": "read", "ReadSelf": "read-self", "Delivered": ""}[state]
    event = {
        "Chat": chat, "Sender": chat, "IsFromMe": False, "IsGroup": False, "MessageIDs": list(message_ids),
        "Timestamp": "2026-11-20T10:00:05-03:00", "Type": kind, "MessageSender": "",
    }  # fmt: skip
    return {"type": "ReadReceipt", "state": state, "event": event}


def chat_presence(state: str, chat: str = "5491155553934@s.whatsapp.net") -> dict[str, Any]:
    event = {"Chat": chat, "Sender": chat, "IsFromMe": False, "IsGroup": False, "State": state, "Media": ""}
    return {"type": "ChatPresence", "event": event}


def json_body(document: dict[str, Any], user_id: str = USER_ID) -> tuple[bytes, str]:
    """The body and content type of WEBHOOK_FORMAT=json."""
    return json.dumps({**document, "userID": user_id, "instanceName": "main"}).encode(), "application/json"


def form_body(document: dict[str, Any], user_id: str = USER_ID) -> tuple[bytes, str]:
    """The default body: a form with sorted keys, as Go's url.Values.Encode writes it."""
    fields = {"instanceName": "main", "jsonData": json.dumps(document), "userID": user_id}
    return urlencode(fields).encode(), "application/x-www-form-urlencoded"


def sign(body: bytes, key: str = HMAC_KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
