"""The client side of a replay: websockets that write down everything they receive, and plain HTTP."""

import asyncio
import contextlib
import io
import json
import struct
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from yarl import URL

OPEN_TIMEOUT_S = 15.0
ABNORMAL = 1006


@dataclass(frozen=True, slots=True)
class Received:
    """Something that arrived: `text`, `binary` or `close`, with its decoded content."""

    kind: str
    content: Any
    raw: str | None = None


class Peer:
    """One websocket; everything it receives waits in `received`."""

    def __init__(self, connection: ClientConnection) -> None:
        self.received: asyncio.Queue[Received] = asyncio.Queue()
        self._connection = connection
        self._left = False
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for message in self._connection:
                self.received.put_nowait(_received(message))
        except ConnectionClosed:
            pass
        close = self._connection.protocol.close_rcvd
        if self._left:
            return
        code = close.code if close is not None else ABNORMAL
        self.received.put_nowait(Received("close", {"code": code, "reason": close.reason if close else ""}))

    async def send(self, data: str | bytes) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._connection.send(data)

    async def ping(self, data: str) -> str:
        """Send a ping and return the data of its pong."""
        waiter = await self._connection.ping(data.encode())
        await asyncio.wait_for(waiter, OPEN_TIMEOUT_S)
        return data

    async def close(self, *, abrupt: bool) -> None:
        if abrupt:
            self._left = True
            self._connection.transport.abort()
        else:
            await self._connection.close()

    async def end(self) -> None:
        """Stop without ceremony at the end of a replay."""
        self._connection.transport.abort()
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader


async def open_peer(base: str, data: dict[str, Any]) -> Peer | dict[str, Any]:
    """Open a websocket; a refused handshake is returned as status, headers and body."""
    url = base.replace("http", "ws", 1) + data["path"] + "?" + urlencode(data["query"])
    headers = {name: value for name, value in data.get("headers", {}).items() if not name.startswith("sec-websocket")}
    try:
        connection = await connect(
            url, additional_headers=headers, max_size=None, ping_interval=None, open_timeout=OPEN_TIMEOUT_S, proxy=None
        )
    except InvalidStatus as refused:
        response = refused.response
        return {"status": response.status_code, "headers": _lower(response.headers.raw_items()), "body": response.body}
    except OSError as error:
        return {"status": None, "error": type(error).__name__}
    return Peer(connection)


async def request(session: aiohttp.ClientSession, base: str, data: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Send a request exactly as written and return status, headers and body."""
    url = base + data["path"] + ("?" + data["query"] if data.get("query") else "")
    async with session.request(
        data["method"],
        URL(url, encoded=True),
        headers=data.get("headers", {}),
        data=io.BytesIO(body),
        skip_auto_headers=("Content-Type", "Accept", "User-Agent", "Accept-Encoding"),
    ) as response:
        return {
            "status": response.status,
            "headers": _lower(response.headers.items()),
            "body": await response.read(),
        }


def _lower(items: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in items}


def _received(message: str | bytes) -> Received:
    if isinstance(message, bytes):
        return Received("binary", decode_binary(message))
    try:
        return Received("text", json.loads(message))
    except ValueError:
        return Received("text", None, message)


def decode_binary(data: bytes) -> dict[str, Any]:
    """Decode kinds 2 and 4 the way the recordings show them."""
    if data[0] == 2:
        topic, event = struct.unpack_from("BB", data, 1)
        parts = _cut(data, 3, (topic, event))
        return {"kind": 2, "topic": parts[0].decode(), "event": parts[1].decode(), "payload_hex": parts[2].hex()}
    *lengths, encoding = struct.unpack_from("BBBB", data, 1)
    topic_bytes, event_bytes, metadata, content = _cut(data, 5, lengths)
    decoded: dict[str, Any] = {
        "kind": data[0],
        "topic": topic_bytes.decode(),
        "user_event": event_bytes.decode(),
        "metadata": json.loads(metadata) if metadata else "",
        "encoding": encoding,
    }
    payload = None if encoding == 0 else _try_json(content)
    return {**decoded, **({"payload_hex": content.hex()} if payload is None else {"payload": payload[0]})}


def _try_json(content: bytes) -> list[Any] | None:
    """The decoded value in a list of one, None when it is no JSON."""
    try:
        return [json.loads(content)]
    except ValueError:
        return None


def _cut(data: bytes, start: int, lengths: Any) -> list[bytes]:
    parts = []
    for length in lengths:
        parts.append(data[start : start + length])
        start += length
    return [*parts, data[start:]]


def encode_frame(version: str, topic: str, event: str, payload: object, join_ref: str, ref: str) -> str:
    """A client's text frame in either version."""
    if version.startswith("1"):
        frame: object = {"topic": topic, "event": event, "payload": payload, "ref": ref, "join_ref": join_ref}
    else:
        frame = [join_ref, ref, topic, event, payload]
    return json.dumps(frame)
