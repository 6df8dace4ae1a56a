"""Clients of Socket.IO 1 and 2, told that they are too old. They speak Engine.IO 3, and are told in that.

Refused by a status, they say "xhr poll error" and no more. So they are let in, handed an ERROR (an `error` event of
theirs) and kept for a while, for they would be back within a second. Called by the gate.
"""

import asyncio
import contextlib
import json

from starlette.types import Receive, Scope, Send

ENGINE_IO = "3"
WORDS = "This server speaks Socket.IO 3 and 4: connect with socket.io-client 3 or newer, or python-socketio 5 or newer."
GREETING = (
    "0" + json.dumps({"sid": "too-old", "upgrades": [], "pingInterval": 25_000, "pingTimeout": 20_000}),
    "44" + json.dumps(WORDS),
)
GOODBYE = "1"
HOLD_S = 20.0  # below a ping's interval, and below the door's patience with strangers


async def answer_poll(scope: Scope, receive: Receive, send: Send, *, is_first: bool) -> None:
    if not is_first:
        await _hold(receive)
    packets = GREETING if is_first else (GOODBYE,)
    headers = [(b"content-type", b"text/plain; charset=UTF-8")]
    for name, value in scope["headers"]:
        if name == b"origin":  # whoever's page it is: nothing is told that is not printed here
            headers += [(b"access-control-allow-origin", value), (b"access-control-allow-credentials", b"true")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    body = "".join(f"{len(packet)}:{packet}" for packet in packets)
    await send({"type": "http.response.body", "body": body.encode()})


async def answer_websocket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    for packet in GREETING:
        await send({"type": "websocket.send", "text": packet})
    await _hold(receive)
    await send({"type": "websocket.close"})


async def _hold(receive: Receive) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HOLD_S):
            while not (await receive())["type"].endswith("disconnect"):
                pass
