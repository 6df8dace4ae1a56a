"""Sides that a user's browser can be on, with their official clients."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import socketio
from realtime import AsyncRealtimeClient
from realtime.types import RealtimeSubscribeStates

from ops.demo.tracker import SideName
from ops.embedded.ready import Ready
from ops.errors import OpsError

OPEN_TIMEOUT_S = 15.0  # a refused private join is answered after five seconds
CLOSE_TIMEOUT_S = 5.0
Receive = Callable[[SideName, Mapping[str, Any]], None]
Closed = Callable[[SideName, str], None]


class RefusedError(OpsError):
    """A side does not let the client in; the text has no full stop, for its reason comes from elsewhere."""


class Side(Protocol):
    """Hands the payload of every new message to the `Receive` it was made with."""

    name: SideName

    async def open(self) -> None:
        """Promises a joined conversation; raises OpsError with the other side's reason."""
        ...

    async def close(self) -> None: ...


class SupabaseSide:
    """The PyPI `realtime` client on the private channel `conversation:{id}`."""

    name = SideName.SUPABASE

    def __init__(self, ready: Ready, receive: Receive) -> None:
        self._ready = ready
        self._receive = receive
        self._client = AsyncRealtimeClient(  # by default it gives up for ever after 15 s
            f"{ready.supabase_url}/realtime/v1", ready.anon_key, max_retries=1_000_000, initial_backoff=1
        )

    async def open(self) -> None:
        states: list[tuple[RealtimeSubscribeStates, Exception | None]] = []
        await self._client.connect()
        await self._client.set_auth(self._ready.users[-1].token)
        channel = self._client.channel(
            f"conversation:{self._ready.conversation_id}",
            {"config": {"private": True, "broadcast": None, "presence": None}},
        )
        channel.on_broadcast("message.new", self._on_broadcast)
        await channel.subscribe(lambda state, error: states.append((state, error)))
        if not states or states[-1][0] is not RealtimeSubscribeStates.SUBSCRIBED:
            state, error = states[-1] if states else ("no answer", None)
            raise RefusedError(f"Supabase refused the private channel: {error or state}")

    async def close(self) -> None:
        await self._client.close()

    def _on_broadcast(self, message: Any) -> None:
        if message["event"] == "message.new":
            self._receive(self.name, message["payload"])


class SocketIoSide:
    """python-socketio in the legacy dialect: path /api/ws, `subscribe:conversation`, event `message`.

    `on_closed` hears why when the bridge closes it, as it does at complete.
    """

    name = SideName.SOCKETIO

    def __init__(self, ready: Ready, receive: Receive, on_closed: Closed) -> None:
        self._ready = ready
        self._receive = receive
        self._on_closed = on_closed
        self._client = socketio.AsyncClient(reconnection_delay=0.5)
        self._client.on("message", self._on_message)
        self._client.on("rollout.closed", self._say_why)
        self._client.on("connect", self._subscribe)  # again after every reconnect, as legacy clients do
        self._answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        try:
            await self._client.connect(
                self._ready.bridge_url,
                socketio_path="/api/ws",
                auth={"token": self._ready.users[-1].token},
                transports=["websocket"],
            )
        except socketio.exceptions.ConnectionError as error:
            raise RefusedError(f"The bridge refused the Socket.IO client: {error}") from error
        answer = await self._answer
        if not isinstance(answer, dict) or not answer.get("ok"):
            raise RefusedError(f"The bridge refused the conversation: {answer}")

    async def close(self) -> None:
        await self._client.disconnect()

    async def _subscribe(self) -> None:
        answer = await self._client.call(
            "subscribe:conversation", str(self._ready.conversation_id), timeout=OPEN_TIMEOUT_S
        )
        if not self._answer.done():
            self._answer.set_result(answer)

    def _on_message(self, payload: Mapping[str, Any]) -> None:
        self._receive(self.name, payload)

    def _say_why(self, reason: Mapping[str, Any]) -> None:
        self._on_closed(self.name, str(reason["message"]))


@contextlib.asynccontextmanager
async def opened(side: Side) -> Any:
    """Keep `side` open for the block; every wait is bounded."""
    try:
        try:
            await asyncio.wait_for(side.open(), OPEN_TIMEOUT_S)
        except TimeoutError:
            raise OpsError(f"{side.name.value} did not let the client in within {OPEN_TIMEOUT_S:.0f} s.") from None
        except OSError as error:
            raise OpsError(f"{side.name.value} cannot be reached: {error}") from error
        yield side
    finally:
        with contextlib.suppress(TimeoutError, OSError):
            await asyncio.wait_for(side.close(), CLOSE_TIMEOUT_S)
